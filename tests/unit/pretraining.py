"""Write a small study for the tests of pretraining, embedding and alignment; image brightness follows one score."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from contigwas.pretrain.train import train
from contigwas.samples.folds import assign_folds
from contigwas.tables.anndata_io import MISSING, write_modality

SIZE = 32
RECIPE = {
    "method": "contig",
    "modalities": ["snps", "pgs", "burden"],
    "aggregate": "outer",
    "folds": 3,
    "image_encoder": "resnet10",
    "width": 8,
    "genetics_encoder": "linear",
    "hidden": 16,
    "dropout": 0.2,
    "temperature": 0.1,
    "alpha": 0.75,
    "embedding": 8,
    "epochs": 2,
    "batch": 8,
    "lr": 2.0e-3,
    "weight_decay": 1.0e-2,
    "schedule": "onecycle",
    "optimizer": "adamw",
    "warmup": 0,
    "loss": "contig",
    "learn_temperature": False,
    "genetics_init": "random",
    "corruption": 0.0,
    "noise": 0,
    "adjust": ["pgs"],
    "norm": "batch",
    "patch": 16,
    "weights": None,
    "latent": 8,
    "units": 0,
    "contrast": 1.0,
    "variational": False,
    "kl": 1.0e-3,
    "bf16": True,
    "compile": False,
    "augment": {"rotation": 20, "flip": True, "crop": 0.9, "brightness": 0.1, "contrast": 0.1, "hue": 0.0, "blur": 0.0},
    "seed": 3,
    "math_threads": 1,
    "validation": 0.2,
    "heldout": 0.3,
    "min_carriers": 1,
}
SIMCLR = {key: value for key, value in RECIPE.items() if key != "modalities"} | {"method": "simclr", "folds": 1}

MGI = {
    "method": "mgi",
    "modalities": ["expression"],
    "genes": 24,
    "gene_order": "position",
    "genes_per_token": 2,
    "gene_encoder": "mamba",
    "gene_width": 16,
    "gene_depth": 1,
    "image_encoder": "vit_tiny",
    "depth": 4,
    "patch": 8,
    "learn_temperature": True,
}
MGI = {key: RECIPE[key] for key in RECIPE if key not in ("loss", "alpha", "genetics_encoder", "genetics_init")} | MGI


def write_study(folder: Path, samples: int = 60, seed: int = 0, missing_rate: float = 0.1) -> dict[str, object]:
    """Write cohort, images and modalities, and return the keyword arguments of `train` that name the files.

    The IIDs are not sorted, images are in random order, and each modality misses some samples and has them in an order
    different from the others. The last sample is excluded, the first has no image.
    """
    rng = np.random.default_rng([seed, 1])
    iids = pd.Index(rng.permutation(np.arange(1000001, 1000001 + samples)).astype(str))
    families = [f"f{number // 2}" for number in range(samples)]  # pairs of relatives
    cohort = pd.DataFrame({"fid": iids, "iid": iids, "sex": 1, "family": families})
    cohort["fold"] = assign_folds(families, 3, 3)
    cohort["gwas_included"], cohort["exclusion"] = 1, ""
    cohort.loc[samples - 1, "exclusion"] = "call rate"
    cohort.to_csv(folder / "cohort.tsv", sep="\t", index=False)
    shine = rng.normal(size=samples)
    rows = [(one, eye) for one in range(1, samples) for eye in ("left", "right")]
    rows = [rows[index] for index in rng.permutation(len(rows))]
    pixels = np.stack([rng.normal(120 + 30 * shine[one], 20, (SIZE, SIZE, 3)) for one, _ in rows])
    np.save(folder / "images.npy", pixels.clip(0, 255).astype(np.uint8))
    table = pd.DataFrame({"row": np.arange(len(rows)), "iid": iids[[one for one, _ in rows]]})
    table["eye"] = [eye for _, eye in rows]
    table["kept"] = True
    table.to_parquet(folder / "images.parquet")
    values = {
        "snps": rng.integers(0, 3, (samples, 40)).astype(np.int8),
        "pgs": rng.normal(size=(samples, 5)).astype(np.float32),
        "burden": (rng.random((samples, 12)) < 0.1).astype(np.int8),
    }
    values["snps"][rng.random(values["snps"].shape) < 0.05] = MISSING
    values["pgs"][:, 0] = shine
    paths = {}
    for name, array in values.items():
        has = rng.permutation(samples)[: int((1 - missing_rate) * samples)]
        paths[name] = folder / f"{name}.h5ad"
        features = pd.DataFrame(index=[f"{name}{number}" for number in range(array.shape[1])])
        write_modality(paths[name], array[has], iids[has], features, {})
    return {
        "cohort": folder / "cohort.tsv",
        "images_npy": folder / "images.npy",
        "images_table": folder / "images.parquet",
        "modalities": paths,
    }


def run(folder, files, settings, fold=0, name="a"):
    """Train on the files of `write_study` in `folder`/`name`, and return the checkpoint and the history."""
    if "modalities" not in settings:
        files = files | {"modalities": {}}
    checkpoint, history = folder / name / "model.ckpt", folder / name / "history.csv"
    train(**files, settings=settings, fold=fold, output_checkpoint=checkpoint, output_history=history)
    return torch.load(checkpoint, weights_only=True), pd.read_csv(history)
