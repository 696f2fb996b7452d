"""The DAG of every config, without running it."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "config" / "examples").glob("*.yaml"))


def touch_inputs(config: dict, folder: Path) -> None:
    """Make every file that the config names, empty: a dry run asks only whether it is there."""
    chromosomes = [str(one) for one in config["genotypes"]["chromosomes"]]
    beds = [config["genotypes"]["array"], config.get("burden", {}).get("genotypes")]
    names = [bed.replace("{chrom}", chrom) for bed in beds if bed for chrom in chromosomes]
    names += [bed.removesuffix("bed") + suffix for bed in names for suffix in ("bim", "fam")]
    names += [config["samples"].get(key) for key in ("covariates", "keep", "withdrawn")]
    names += [config["genotypes"].get(key) for key in ("kinship", "pcs_file")]
    names += [config.get("burden", {}).get(key) for key in ("annotations", "sets")]
    names += [config.get("images", {}).get("table"), config.get("loci", {}).get("genes")]
    names += [config.get("pgs", {}).get("scores", "").replace("*", "PGS000001")]
    names += [model.get(key) for model in config["models"].values() for key in ("phenotypes", "weights")]
    names += [task.get("table") for task in config.get("downstream", {}).values()]
    for name in names:
        if isinstance(name, str) and name:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).touch()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_make_a_dag(path, study):
    run = study()
    target = run.folder / "my study.yaml"
    shutil.copy(path, target)
    config = yaml.safe_load(path.read_text())
    touch_inputs(config, run.folder)
    dry = type(run)(run.folder, target).dry()
    assert dry.status == 0, dry.text[-3000:]
    trained = [name for name, model in config["models"].items() if "method" in model]
    jobs = dry.jobs()
    for name in config["models"]:
        assert jobs[("gwas_chromosome", name)] == len(config["genotypes"]["chromosomes"])
    for name in trained:
        folds = config["samples"]["folds"] if config["models"][name].get("modalities") else 1
        assert jobs[("pretrain_fold", name)] == folds


def test_a_dry_run_imports_nothing_heavy(study):
    """Every job of a cluster parses the Snakefile again."""
    command = [sys.executable, "-X", "importtime", "-m", "snakemake", "--dry-run", "--cores", "1"]
    done = subprocess.run(command, cwd=study().folder, capture_output=True, text=True, check=True)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time")}
    assert "contigwas.config.check" in imported
    assert not imported & {"torch", "lightning", "monai", "kornia", "anndata", "sklearn", "scipy.stats", "matplotlib"}


def test_demo_makes_a_dag(study):
    jobs = study().dry().jobs()
    assert jobs[("pretrain_fold", "contig")] == 3
    assert jobs[("pretrain_fold", "simclr")] == 1
    assert jobs[("phenotypes_external", "latents")] == 1


def test_the_picture_in_the_docs_has_every_rule(study, root):
    drawn = set(re.findall(r"<title>(\w+)</title>", (root / "docs/figures/rulegraph.svg").read_text())) - {"rules"}
    demo = {rule for rule, _ in study().dry().jobs()}
    assert drawn == {"plots" if rule.startswith("plots_") else rule for rule in demo}, "make docs"


def test_a_given_config_stands_alone(study):
    run = study("phenotypes.yaml")
    touch_inputs(yaml.safe_load(run.config.read_text()), run.folder)
    dry = run.dry()
    assert dry.status == 0, dry.text[-3000:]
    assert {model for _, model in dry.jobs()} == {"", "traits"}
    assert not {rule for rule, _ in dry.jobs()} & {"simulate_cohort", "pgs", "burden", "images", "pretrain_fold"}


def test_single_keys_can_be_set_on_the_demo(study):
    dry = study().dry("--config", "seed=2")
    assert dry.status == 0, dry.text[-3000:]
    assert dry.jobs()[("simulate_cohort", "")] == 1


def test_covariates_are_read_for_their_modality_alone(study):
    """Their table says nobody into the study, and retrains no other model."""
    run = study("small.yaml")
    config = yaml.safe_load(run.config.read_text())
    config["models"] = {"pgs": config["models"]["inner"] | {"modalities": ["pgs"]}, "both": config["models"]["inner"]}
    config["models"]["both"] = config["models"]["both"] | {"modalities": ["pgs", "covariates"], "noise": 4}
    config["covariates"] = {"columns": ["sex", "age"]}
    run.config.write_text(yaml.safe_dump(config))
    dry = run.dry("pretrain")
    assert dry.status == 0, dry.text[-3000:]
    assert dry.jobs()[("covariates", "")] == 1
    chunks = re.split(r"\n(?:local)?rule ", dry.text)
    readers = {one.partition(":")[0] for one in chunks if re.search(r"input: .*demo/covariates\.tsv", one)}
    assert readers == {"covariates", "training_inputs_digest"}
    readers = [one for one in chunks if re.search(r"input: .*training_inputs/covariates\.ready", one)]
    users = {one.partition("model=")[2][:4] for one in readers}
    assert users == {"both"}
    run.config.write_text(yaml.safe_dump(config | {"covariates": {"columns": ["sex", "PC1"]}}))
    assert "results/genotypes/pcs.parquet" in run.dry("covariates").text
    assert "results/genotypes/pcs.parquet" not in dry.text


@pytest.mark.parametrize("target", ["images", "pgs", "burden", "snps", "covariates", "expression"])
def test_a_target_without_its_block_says_so(target, study):
    run = study("phenotypes.yaml")
    touch_inputs(yaml.safe_load(run.config.read_text()), run.folder)
    dry = run.dry(target)
    assert dry.status != 0
    assert f"there is no {target}: block" in dry.text
    assert "Traceback" not in dry.text


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("gwas.covariate", ["sex"], "did you mean covariates?"),
        ("loci.p1", "5e-8", "write it without quotes and with a point, such as 5.0e-8"),
        ("samples.folds", 2, "at least 3 (cross-fitting)"),
        ("genotypes.array", "nowhere/chr{chrom}.bed", "nowhere/chr1.bed, which does not exist"),
        ("samples.covariates", "nowhere.tsv", "samples.covariates names nowhere.tsv, which does not exist"),
        ("burden.masks", "nowhere.txt", "burden.masks names nowhere.txt, which does not exist"),
        ("burden.aaf", "nowhere.txt", "burden.aaf names nowhere.txt, which does not exist"),
        ("burden.masks", ["LoF"], "burden.masks is ['LoF'], but must be a block of keys or text"),
        ("burden.statistic", "mean", "must be one of max, sum, comphet, binary"),
        ("models.contig.epochs", "many", "models.contig.epochs is 'many', but must be a whole number"),
        ("models.contig.modalities", ["mri"], "must be one of snps, pgs, burden"),
    ],
)
def test_mistakes_in_the_config_end_in_one_sentence(key, value, sentence, study):
    run = study("small.yaml")
    config = yaml.safe_load(run.config.read_text())
    *blocks, last = key.split(".")
    place = config
    for one in blocks:
        place = place[one]
    place[last] = value
    run.config.write_text(yaml.safe_dump(config).replace("'5e-8'", "5e-8"))
    dry = run.dry()
    assert dry.status != 0
    assert sentence in dry.text, dry.text[-2000:]
    assert "Traceback" not in dry.text


def test_lint_is_clean(root):
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--lint"], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
