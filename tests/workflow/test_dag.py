"""The DAG of every config, without running it."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.studies import Study, clone

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "config" / "examples").glob("*.yaml"))


def touch_inputs(config: dict, folder: Path) -> None:
    """Create every file that the config names, empty: a dry run only checks that files exist."""
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


@pytest.fixture(scope="module")
def workflow(root, tmp_path_factory):
    """A copy of the workflow for dry runs that write nothing, each with a config of its own."""
    return clone(root, tmp_path_factory.mktemp("dag") / "study")


@pytest.fixture
def configured(workflow, tmp_path):
    """A function: the study of a config."""

    def make(config: dict | str) -> Study:
        if isinstance(config, str):
            config = yaml.safe_load((ROOT / "tests/config" / config).read_text())
        path = tmp_path / "my study.yaml"
        path.write_text(yaml.safe_dump(config).replace("'5e-8'", "5e-8"))
        return Study(workflow, path)

    return make


@pytest.fixture(scope="module")
def demo(workflow):
    """The jobs of the demo."""
    return Study(workflow, None).dry().jobs()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_make_a_dag(path, study):
    run = study()
    target = run.folder / "my study.yaml"
    shutil.copy(path, target)
    config = yaml.safe_load(path.read_text())
    touch_inputs(config, run.folder)
    jobs = Study(run.folder, target).dry().jobs()
    trained = [name for name, model in config["models"].items() if "method" in model]
    for name in config["models"]:
        assert jobs[("gwas_chromosome", name)] == len(config["genotypes"]["chromosomes"])
    for name in trained:
        folds = config["samples"]["folds"] if config["models"][name].get("modalities") else 1
        assert jobs[("pretrain_fold", name)] == folds


def test_a_dry_run_imports_nothing_heavy(workflow):
    """Each cluster job parses the Snakefile again."""
    command = [sys.executable, "-X", "importtime", "-m", "snakemake", "--dry-run", "--cores", "1"]
    done = subprocess.run(command, cwd=workflow, capture_output=True, text=True, check=True)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time")}
    assert "contigwas.config.check" in imported
    assert not imported & {"torch", "lightning", "monai", "kornia", "anndata", "sklearn", "scipy.stats", "matplotlib"}


def test_demo_makes_a_dag(demo):
    assert demo[("pretrain_fold", "contig")] == 3
    assert demo[("pretrain_fold", "simclr")] == 1
    assert demo[("phenotypes_external", "latents")] == 1


def test_a_dry_run_in_this_process_has_the_jobs_of_the_command(demo, workflow):
    """Other tests ask for dry runs in their own process, which are faster."""
    run = Study(workflow, None, cold=True)("--dry-run")
    assert run.status == 0, run.text[-3000:]
    assert run.jobs() == demo


def test_the_picture_in_the_docs_has_every_rule(demo, root):
    drawn = set(re.findall(r"<title>(\w+)</title>", (root / "docs/figures/rulegraph.svg").read_text())) - {"rules"}
    rules = {rule for rule, _ in demo}
    assert drawn == {"plots" if rule.startswith("plots_") else rule for rule in rules}, "make docs"


def test_a_given_config_stands_alone(study):
    run = study("phenotypes.yaml")
    touch_inputs(yaml.safe_load(run.config.read_text()), run.folder)
    jobs = run.dry().jobs()
    assert {model for _, model in jobs} == {"", "traits"}
    assert not {rule for rule, _ in jobs} & {"simulate_cohort", "pgs", "burden", "images", "pretrain_fold"}


def test_single_keys_can_be_set_on_the_demo(workflow, demo):
    other = Study(workflow, None).dry(seed=2, evaluate={"kb": 7})
    assert other.jobs() == demo
    settings = {one.rule.name: one.params.get("settings", {}) for one in other.needed}
    assert settings["simulate_cohort"]["seed"] == 2


def test_covariates_are_read_for_their_modality_alone(configured):
    """Their table does not select samples and does not retrain other models."""
    config = yaml.safe_load((ROOT / "tests/config/small.yaml").read_text())
    config["models"] = {"pgs": config["models"]["inner"] | {"modalities": ["pgs"]}, "both": config["models"]["inner"]}
    config["models"]["both"] = config["models"]["both"] | {"modalities": ["pgs", "covariates"], "noise": 4}
    config["covariates"] = {"columns": ["sex", "age"]}
    dry = configured(config).dry("pretrain")
    assert dry.jobs()[("covariates", "")] == 1
    assert rules(dry.readers("resources/demo/covariates.tsv")) == {"covariates", "training_inputs_digest"}
    users = dry.readers("results/training_inputs/covariates.ready")
    assert {job.wildcards_dict["model"] for job in users} == {"both"}
    pcs = "results/genotypes/pcs.parquet"
    assert not dry.readers(pcs)
    config |= {"covariates": {"columns": ["sex", "PC1"]}}
    assert "covariates" in rules(configured(config).dry("covariates").readers(pcs))


def rules(jobs) -> set[str]:
    return {job.rule.name for job in jobs}


@pytest.mark.parametrize("target", ["images", "pgs", "burden", "snps", "covariates", "expression"])
def test_a_target_without_its_block_says_so(target, workflow, configured):
    one = configured("phenotypes.yaml")
    touch_inputs(yaml.safe_load(one.config.read_text()), workflow)
    dry = one.dry(target)
    assert dry.status != 0
    assert f"there is no {target}: block" in dry.text
    assert "Traceback" not in dry.text


@pytest.mark.parametrize(
    ("name", "target", "keys", "sentence"),
    [
        ("phenotypes.yaml", "images", {}, "there is no images: block"),
        ("small.yaml", "all", {"gwas": {"covariate": ["sex"]}}, "did you mean covariates?"),
        ("small.yaml", "all", {"burden": {"masks": "nowhere.txt"}}, "burden.masks names nowhere.txt, which does not"),
    ],
    ids=["a block that a target needs", "the schema", "a file"],
)
def test_the_sentence_reaches_the_terminal_without_a_traceback(name, target, keys, sentence, workflow, configured):
    """Of every kind of mistake one by the command; further sentences are asked of dry runs in this process."""
    config = yaml.safe_load((ROOT / "tests/config" / name).read_text())
    touch_inputs(yaml.safe_load((ROOT / "tests/config/phenotypes.yaml").read_text()), workflow)
    for block, values in keys.items():
        config[block] = config.get(block, {}) | values
    one = configured(config)
    run = Study(one.folder, one.config, cold=True)("--dry-run", target)
    assert run.status != 0
    assert sentence in run.text, run.text[-2000:]
    assert "Traceback" not in run.text


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
def test_mistakes_in_the_config_end_in_one_sentence(key, value, sentence, configured):
    config = yaml.safe_load((ROOT / "tests/config/small.yaml").read_text())
    *blocks, last = key.split(".")
    place = config
    for one in blocks:
        place = place[one]
    place[last] = value
    dry = configured(config).dry()
    assert dry.status != 0
    assert sentence in dry.text, dry.text[-2000:]
    assert "Traceback" not in dry.text


def test_lint_is_clean(root):
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--lint"], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
