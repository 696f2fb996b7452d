"""A mistake in the inputs gives one error message, a non-zero exit status and no partial output."""

import gzip
import json

import numpy as np
import pandas as pd
import pytest
import yaml
from bed_reader import to_bed
from PIL import Image

SAMPLES = [f"{1000000 + 7 * i}" for i in range(80)]


def cohort(folder, seed=0, variants=60):
    """Write genotypes, covariates and traits of 80 samples, as named in tests/config/phenotypes.yaml."""
    rng = np.random.default_rng(seed)
    frequency = rng.uniform(0.2, 0.8, variants)
    genotypes = rng.binomial(2, frequency, (len(SAMPLES), variants)).astype(np.int8)
    properties = {
        "fid": SAMPLES,
        "iid": SAMPLES,
        "sex": rng.integers(1, 3, len(SAMPLES)),
        "sid": [f"rs{i}" for i in range(variants)],
        "chromosome": ["1"] * variants,
        "bp_position": 1000 * np.arange(1, variants + 1),
        "allele_1": ["A"] * variants,
        "allele_2": ["G"] * variants,
    }
    to_bed(folder / "genotypes.bed", genotypes, properties=properties)
    covariates = pd.DataFrame(
        {"iid": SAMPLES, "sex": rng.integers(1, 3, len(SAMPLES)), "age": rng.normal(60, 5, len(SAMPLES))}
    )
    covariates.to_csv(folder / "covariates.tsv", sep="\t", index=False)
    traits = pd.DataFrame(
        {"FID": SAMPLES, "IID": SAMPLES, "height": rng.normal(size=len(SAMPLES)), "weight": genotypes[:, 5]}
    )
    traits.to_csv(folder / "traits.tsv", sep="\t", index=False)
    return genotypes


def set_config(study, **blocks):
    config = yaml.safe_load(study.config.read_text())
    for block, keys in blocks.items():
        config[block] = {**config.get(block, {}), **keys}
    study.config.write_text(yaml.safe_dump(config))


def truncate(study):
    path = study.folder / "genotypes.bed"
    path.write_bytes(path.read_bytes()[:-10])


def wrong_magic(study):
    path = study.folder / "genotypes.bed"
    path.write_bytes(b"PK\x03" + path.read_bytes()[3:])


def duplicate(study):
    path = study.folder / "genotypes.fam"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:-1], lines[0]]) + "\n")


def strangers(study):
    Image.new("RGB", (64, 64), (200, 90, 30)).save(study.folder / "eye.png")
    rows = "".join(f"HG{i:05d}\tleft\t0\teye.png\n" for i in range(5))
    (study.folder / "images.tsv").write_text("iid\teye\tvisit\tpath\n" + rows)
    set_config(study, images={"table": "images.tsv"})


def fam_of_others(study):
    path = study.folder / "genotypes.fam"
    path.write_text("\n".join(path.read_text().splitlines()[:-8]) + "\n")


def headerless_keep(study):
    (study.folder / "keep.txt").write_text("".join(f"{one}\t{one}\n" for one in SAMPLES))
    set_config(study, samples={"keep": "keep.txt"})


def no_usable_image(study):
    Image.new("RGB", (64, 64)).save(study.folder / "black.png")
    (study.folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no photograph")
    rows = f"{SAMPLES[0]}\tleft\t0\tblack.png\n{SAMPLES[1]}\tleft\t0\tbroken.jpg\n"
    (study.folder / "images.tsv").write_text("iid\teye\tvisit\tpath\n" + rows)
    set_config(study, images={"table": "images.tsv"})


def no_variant_left(study):
    set_config(study, genotypes={"qc": {"maf": 0.5, "hwe": 1.0}})


def unknown_covariate(study):
    set_config(study, gwas={"covariates": ["sex", "height_cm"]})


def score_without_alleles(study):
    with gzip.open(study.folder / "score.txt.gz", "wt") as file:
        file.write(
            "#pgs_id=PGS9\n#genome_build=GRCh37\nrsID\tchr_name\tchr_position\teffect_weight\nrs1\t1\t2000\t0.1\n"
        )
    set_config(study, pgs={"scores": "score.txt.gz"})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mistake", "target", "sentence", "absent"),
    [
        (truncate, "genotypes", "genotypes.bed", "genotypes/variants"),
        (wrong_magic, "genotypes", "genotypes.bed", "genotypes/variants"),
        (fam_of_others, "genotypes", "genotypes.bed", "genotypes/variants"),
        (headerless_keep, "genotypes", "keep.txt has no column iid", "samples/candidates.tsv"),
        (no_usable_image, "images", "black", "images/images.npy"),
        (duplicate, "genotypes", "1 individual IDs appear more than once", "samples/candidates.tsv"),
        (strangers, "genotypes", "5 samples, IDs of HG and 5 digits", "samples/candidates.tsv"),
        (no_variant_left, "genotypes", "none of the 60 variants", "genotypes/samples.parquet"),
        (unknown_covariate, "phenotypes", "height_cm", "models/traits/phenotypes.parquet"),
        (score_without_alleles, "pgs", "effect_allele", "modalities/pgs.h5ad"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_mistake_ends_in_one_sentence(study, mistake, target, sentence, absent):
    run = study("phenotypes.yaml")
    cohort(run.folder)
    mistake(run)
    done = run(target)
    assert done.status != 0
    reported = [line for line in done.text.splitlines() if line.startswith("contigwas: ")]
    assert len(set(reported)) == 1, done.text[-3000:]
    assert sentence in reported[0]
    assert "Traceback" not in done.text
    assert not [one for one in SAMPLES if one in done.text]
    path = run.folder / "results" / absent
    assert not path.is_file() and not list(path.glob("*"))
    assert not list((run.folder / "results").rglob(".*.tmp.*"))


@pytest.mark.slow
def test_external_phenotypes_need_nothing_else(study):
    """A constant covariate is dropped with a warning, and samples with a missing covariate are counted."""
    run = study("phenotypes.yaml")
    genotypes = cohort(run.folder)
    table = pd.read_csv(run.folder / "covariates.tsv", sep="\t")
    table["batch"] = 1
    table.loc[:4, "age"] = np.nan
    table.to_csv(run.folder / "covariates.tsv", sep="\t", index=False, na_rep="NA")
    set_config(run, gwas={"covariates": ["sex", "age", "batch"]}, loci={"p1": 1e-6, "p2": 1e-4})
    done = run("gwas", "loci", "plots")
    assert done.status == 0, done.text[-4000:]
    log = "".join(path.read_text() for path in (run.folder / "results/logs/phenotypes_external").glob("*.log"))
    assert "constant covariates are left out: batch" in log
    assert "5 of 80 samples with a missing covariate" in log
    results = run.folder / "results/models/traits"
    assert len(pd.read_parquet(results / "phenotypes.parquet")) == 75
    gwas = pd.read_parquet(results / "gwas/chr1.parquet")
    loci = pd.read_csv(results / "loci.tsv", sep="\t")
    assert len(gwas) == genotypes.shape[1]
    assert loci["lead_id"].tolist() == ["rs5"], "the trait that is this variant"
    assert (results / "plots/manhattan.png").stat().st_size
    summary = json.dumps(sorted(path.name for path in results.iterdir()))
    assert "fold0" not in summary
