"""Train a small study for the tests of explanations."""

from pretraining import RECIPE, write_study

from contigwas.explain.explain import Files, explain
from contigwas.pretrain.train import train

SETTINGS = {
    "methods": ["integrated_gradients", "deeplift"],
    "left_out": [],
    "baseline": "mean",
    "n_samples": 24,
    "reference": 16,
    "steps": 16,
    "noise": {"copies": 0, "sd": 0.1},
    "checkpoint": "last",
    "seed": 3,
    "math_threads": 1,
}


def trained(folder, samples=150, fold=0, pcs=None, **changed):
    """Write a study, train a network, and return its checkpoint and the files that an explanation reads."""
    files = write_study(folder, samples)
    checkpoint, history = folder / f"fold{fold}.ckpt", folder / f"fold{fold}.csv"
    recipe = RECIPE | {"augment": {}} | changed
    files |= {"modalities": {name: files["modalities"][name] for name in recipe["modalities"]}}
    train(**files, settings=recipe, fold=fold, output_checkpoint=checkpoint, output_history=history, pcs=pcs)
    return checkpoint, Files(**files, pcs=pcs)


def explained(folder, checkpoints, files, **changed):
    """Run `explain` and return its three output files."""
    outputs = [folder / name for name in ("features.parquet", "modalities.tsv", "completeness.tsv")]
    explain(checkpoints, files, SETTINGS | changed, *outputs)
    return outputs
