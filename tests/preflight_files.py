"""A small study with every kind of input, and methods to change it, for the tests of preflight."""

import copy
import gzip
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import yaml
from PIL import Image

from contigwas.preflight.reference_positions import REFERENCE_VARIANTS
from tests.plink_files import write_plink

SAMPLES = [str(5183000 + 7 * number) for number in range(90)]
VARIANTS = 40
RECIPE = {"method": "contig", "modalities": ["snps", "burden"], "image_encoder": "resnet10", "width": 8, "batch": 8}
CONFIG = {
    "samples": {"covariates": "covariates.tsv", "keep": "keep.tsv", "withdrawn": "withdrawn.txt"},
    "genotypes": {
        "array": "chr{chrom}.bed",
        "chromosomes": [1, 2],
        "pcs": 2,
        "kinship": "rel.kin0",
        "pcs_file": "pcs.eigenvec",
    },
    "snps": {"stride": 2},
    "pgs": {"scores": "*.txt.gz"},
    "burden": {
        "genotypes": "exome_chr{chrom}.bed",
        "annotations": "annotations.txt",
        "sets": "sets.txt",
        "masks": {"lof": ["LoF"]},
    },
    "images": {"table": "images.tsv", "size": 32},
    "expression": {"table": "expression.csv", "scale": "counts", "genes": "positions.txt"},
    "modalities": {"blood": "blood.tsv"},
    "models": {
        "contig": RECIPE,
        "traits": {"phenotypes": "traits.tsv"},
        "deep": {"embeddings": "deep.h5ad"},
    },
    "phenotypes": {"components": 2},
    "gwas": {"covariates": ["sex", "age", "PC1-PC2"], "offsets": "{model}_pred.list"},
    "loci": {"genes": "genes.gtf"},
    "plots": {"recombination": "map.txt"},
    "downstream": {
        "spot": {"task": "segmentation", "table": "masks.tsv"},
        "kinds": {"task": "clusters", "labels": {"table": "kinds.tsv", "column": "Kind"}},
    },
}


def known(chrom: str, build: int) -> list[tuple[str, int]]:
    """Reference rsIDs and their positions on a chromosome, on GRCh37 (build 2) or GRCh38 (build 3)."""
    return [(one[0], one[build]) for one in REFERENCE_VARIANTS if one[1] == chrom]


def write_study(folder: Path) -> dict:
    """Write every file that CONFIG names and return the config."""
    rng = np.random.default_rng(3)
    for chrom in ("1", "2"):
        write_array(folder, chrom, rng)
        exome = rng.binomial(2, 0.02, (len(SAMPLES), 10)).astype(np.int8)
        names = [f"{chrom}:{1000 * (place + 1)}:G:A" for place in range(10)]
        write_plink(folder / f"exome_chr{chrom}.bed", exome, SAMPLES, chrom, sid=names)
    table = pd.DataFrame({"iid": SAMPLES, "sex": rng.integers(1, 3, 90), "age": rng.normal(60, 5, 90).round(1)})
    table.to_csv(folder / "covariates.tsv", sep="\t", index=False)
    pd.DataFrame({"iid": SAMPLES[:85]}).to_csv(folder / "keep.tsv", sep="\t", index=False)
    (folder / "withdrawn.txt").write_text(f"{SAMPLES[0]}\n")
    (folder / "rel.kin0").write_text(f"#IID1\tIID2\tKINSHIP\n{SAMPLES[1]}\t{SAMPLES[2]}\t0.25\n")
    components = pd.DataFrame({"#IID": SAMPLES, "PC1": rng.normal(size=90), "PC2": rng.normal(size=90)})
    components.to_csv(folder / "pcs.eigenvec", sep="\t", index=False)
    write_score(folder / "PGS1.txt.gz", "PGS1")
    genes = {chrom: [f"{chrom}:{1000 * (place + 1)}:G:A" for place in range(10)] for chrom in ("1", "2")}
    lines = [f"{name} GENE{chrom} {'LoF' if place % 2 else 'missense'}" for chrom in genes for place, name in
             enumerate(genes[chrom])]  # fmt: skip
    (folder / "annotations.txt").write_text("\n".join(lines) + "\n")
    sets = [f"GENE{chrom} {chrom} 1000 {','.join(names)}" for chrom, names in genes.items()]
    (folder / "sets.txt").write_text("\n".join(sets) + "\n")
    write_images(folder)
    write_masks(folder)
    kinds = pd.DataFrame({"IID": SAMPLES[10:], "kind": ["typical", "rare"] * 40})
    kinds.to_csv(folder / "kinds.tsv", sep="\t", index=False)
    features = pd.DataFrame(
        {"FID": SAMPLES, "IID": SAMPLES, "height": rng.normal(size=90), "weight": rng.normal(size=90)}
    )
    features.to_csv(folder / "traits.tsv", sep="\t", index=False)
    features[["IID", "height"]].to_csv(folder / "blood.tsv", sep="\t", index=False)
    write_expression(folder)
    (folder / "positions.txt").write_text("1 1000 2000 ABC\n2 1000 2000 DEF\n")
    write_embeddings(folder, rng.normal(size=(90, 6)).astype(np.float32))
    for model, names in (("contig", ("E1", "E2")), ("traits", ("height", "weight")), ("deep", ("E1", "E2"))):
        (folder / f"{model}_pred.list").write_text("".join(f"{name} first.loco\n" for name in names))
    header = " ".join(["FID_IID", *(f"{one}_{one}" for one in SAMPLES)])
    (folder / "first.loco").write_text(f"{header}\n1 {' '.join(['0.1'] * 90)}\n2 {' '.join(['0.1'] * 90)}\n")
    (folder / "genes.gtf").write_text(
        '#!genome-build GRCh37.p13\n1\thavana\tgene\t1000\t9000\t.\t+\t.\tgene_id "ENSG1"; gene_name "ABC";\n'
    )
    (folder / "map.txt").write_text("chrom pos rate\n1 1000 0.5\n2 1000 0.5\n")
    return copy.deepcopy(CONFIG)


def write_array(folder: Path, chrom: str, rng: np.random.Generator, build: int = 2) -> None:
    """Write array genotypes of one chromosome. Its first variants are the reference rsIDs at their positions."""
    calls = rng.binomial(2, 0.4, (len(SAMPLES), VARIANTS)).astype(np.int8)
    first = known(chrom, build)
    names = [name for name, _ in first] + [f"rs{chrom}_{place}" for place in range(VARIANTS - len(first))]
    places = [place for _, place in first] + [1000 * (place + 1) for place in range(VARIANTS - len(first))]
    order = np.argsort(places, kind="stable")
    write_plink(
        folder / f"chr{chrom}.bed",
        calls,
        SAMPLES,
        chrom,
        sid=[names[one] for one in order],
        bp_position=[places[one] for one in order],
    )


def write_score(
    path: Path, name: str, build: int = 2, columns: str = "effect_allele other_allele", rows: int = 0
) -> None:
    """Write a score of the reference rsIDs on chromosomes 1 and 2, and of `rows` variants without genotypes."""
    label = "GRCh37" if build == 2 else "GRCh38"
    with gzip.open(path, "wt") as file:
        file.write(f"#pgs_id={name}\n#HmPOS_build={label}\n")
        file.write("\t".join(["rsID", *columns.split(), "effect_weight", "hm_chr", "hm_pos"]) + "\n")
        for chrom in ("1", "2"):
            for rsid, place in known(chrom, build):
                file.write("\t".join([rsid, *"AG"[: len(columns.split())], "0.1", chrom, str(place)]) + "\n")
        for number in range(rows):
            file.write("\t".join([f"rs999{number}", "A", "G", "0.1", "9", str(1000 + number)]) + "\n")


def write_images(folder: Path, samples: list[str] = SAMPLES, draw: Callable | None = None, files: int = 90) -> None:
    """Write a photograph per sample, 64 pixels wide: a bright disc with texture, or what `draw` writes to a path."""
    rng = np.random.default_rng(5)
    (folder / "eyes").mkdir(exist_ok=True)
    rows = []
    for number, iid in enumerate(samples):
        path = folder / "eyes" / f"{number:03d}.png"
        rows.append(f"{iid}\tleft\t0\teyes/{path.name}\n")
        if number >= files:
            continue
        if draw is not None:
            draw(path)
            continue
        y, x = np.mgrid[:64, :64]
        pixels = rng.integers(80, 220, (64, 64, 3)) * ((y - 32) ** 2 + (x - 32) ** 2 < 30**2)[..., None]
        Image.fromarray(pixels.astype(np.uint8)).save(path)
    (folder / "images.tsv").write_text("iid\teye\tvisit\tpath\n" + "".join(rows))


def write_expression(folder: Path, samples: list[str] = SAMPLES) -> None:
    """Write expression.csv: counts of three genes, two of which are in positions.txt."""
    counts = np.random.default_rng(7).poisson(30, (len(samples), 3))
    table = pd.DataFrame(counts, index=pd.Index(samples, name="IID"), columns=["ABC", "DEF", "novel"])
    table.to_csv(folder / "expression.csv")


def write_masks(folder: Path) -> None:
    """Write a mask (a rectangle) for each of the first 30 photographs."""
    rows = []
    for number, iid in enumerate(SAMPLES[:30]):
        mask = np.zeros((64, 64), np.uint8)
        mask[20:40, 10 + number // 2 : 30] = 255
        Image.fromarray(mask).save(folder / "eyes" / f"{number:03d}_mask.png")
        rows.append(f"{iid}\teyes/{number:03d}.png\teyes/{number:03d}_mask.png\n")
    (folder / "masks.tsv").write_text("iid\timage\tmask\n" + "".join(rows))


def write_embeddings(folder: Path, values: np.ndarray) -> None:
    """Write deep.h5ad: samples x features."""
    names = pd.DataFrame(index=pd.Index([f"f{one}" for one in range(values.shape[1])]))
    ad.AnnData(values, obs=pd.DataFrame(index=pd.Index(SAMPLES)), var=names).write_h5ad(folder / "deep.h5ad")


@dataclass
class Spoiled:
    """A study on disk, which a mistake changes: its folder and its config."""

    folder: Path
    config: dict

    def set(self, **blocks: dict) -> None:
        """Change keys of blocks of the config."""
        for block, keys in blocks.items():
            self.config[block] = {**self.config.get(block, {}), **keys}

    def edit(self, name: str, change: Callable[[bytes], bytes]) -> None:
        """Rewrite a file."""
        path = self.folder / name
        path.write_bytes(change(path.read_bytes()))

    def lines(self, name: str, change: Callable[[list[str]], list[str]]) -> None:
        """Rewrite the lines of a text."""
        path = self.folder / name
        path.write_text("\n".join(change(path.read_text().splitlines())) + "\n")

    def save(self, path: Path) -> None:
        """Write the config as YAML."""
        path.write_text(yaml.safe_dump(self.config))
