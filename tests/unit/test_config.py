"""Settings: defaults, overrides, order, and the numbers of folds."""

import importlib.util
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from contigwas.config.check import check_config
from contigwas.config.models import read_schema
from contigwas.config.settings import chromosomes, folds, job_settings, ordered
from contigwas.runtime.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = [ROOT / "config/config.yaml", *ROOT.glob("config/examples/*.yaml"), *ROOT.glob("tests/config/*.yaml")]
CONFIGS.remove(ROOT / "tests/config/real_planted.yaml")  # only what it adds to real.yaml


@pytest.fixture
def demo() -> dict:
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    check_config(config)
    return config


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_config_of_the_repository_is_valid(path):
    check_config(yaml.safe_load(path.read_text()))


def test_defaults_are_filled_in(demo):
    assert demo["loci"]["kb"] == 150
    assert demo["gwas"]["missing"] == "exact"
    assert demo["models"]["contig"]["augment"]["rotation"] == 20
    assert demo["models"]["latents"]["transform"] == "none", "user-supplied phenotypes are not transformed"
    assert "method" not in demo["models"]["latents"]


@pytest.mark.parametrize(("dimensions", "crop"), [(None, "fundus"), (2, "fundus"), (3, "none")])
def test_photographs_are_cropped_by_default_and_volumes_are_not(demo, dimensions, crop):
    demo["images"] = {"table": "images.tsv"} | ({"dimensions": dimensions} if dimensions else {})
    check_config(demo)
    assert (demo["images"]["dimensions"], demo["images"]["crop"]) == (dimensions or 2, crop)


def test_settings_are_nested_as_in_the_config_and_sorted(demo):
    got = job_settings(demo, "seed", "gwas", "genotypes.qc.maf", "genotypes.array")
    assert list(got) == ["genotypes", "gwas", "seed"]
    assert got["seed"] == demo["seed"]
    assert got["genotypes"] == {"array": demo["genotypes"]["array"], "qc": {"maf": demo["genotypes"]["qc"]["maf"]}}
    assert list(got["gwas"]) == sorted(demo["gwas"])
    assert got["gwas"]["qc"] == {"info": 0.4, "maf": 0.01}


def test_keys_of_one_name_in_two_blocks_do_not_collide(demo):
    check_config(demo)
    got = job_settings(demo, "evaluate.kb", "loci.kb")
    assert (got["evaluate"]["kb"], got["loci"]["kb"]) == (demo["evaluate"]["kb"], demo["loci"]["kb"])


def test_the_settings_of_a_task(demo):
    demo["downstream"] = {"eyes": {"task": "clusters", "k": 3}}
    assert job_settings(demo, "task.k", task="eyes") == {"task": {"k": 3}}


def test_a_model_overrides_its_stages(demo):
    demo["models"]["contig"]["phenotypes"] = {"components": 3}
    assert job_settings(demo, "phenotypes", model="contig") == {
        "phenotypes": {"components": 3, "transform": "inverse-normal"}
    }
    assert job_settings(demo, "phenotypes.components", model="contig") == {"phenotypes": {"components": 3}}
    assert job_settings(demo, "phenotypes", model="simclr")["phenotypes"]["components"] == 5
    assert "phenotypes" not in job_settings(demo, "model", model="contig")["model"]


def test_x_is_no_autosome(demo):
    demo["genotypes"]["chromosomes"] = [1, "X", 2]
    assert chromosomes(demo) == ["1", "X", "2"]
    assert job_settings(demo, "autosomes", "snps")["autosomes"] == ["1", "2"]


def test_folds_of_a_model(demo):
    assert [folds(demo, name) for name in ("contig", "simclr")] == [3, 1]
    demo["models"]["contig"]["folds"] = 1
    assert job_settings(demo, "model", model="contig")["model"]["folds"] == 1


def test_an_absent_block_is_named_and_an_optional_one_left_out(demo):
    del demo["burden"]
    with pytest.raises(UserError, match="no burden: block"):
        job_settings(demo, "burden")
    assert job_settings(demo, "seed", "burden.min_carriers?") == {"burden": {}, "seed": demo["seed"]}


@given(st.recursive(st.integers() | st.text(), lambda inner: st.dictionaries(st.text(), inner) | st.lists(inner)))
def test_the_order_of_keys_is_no_setting(value):
    def reverse(one):
        if isinstance(one, dict):
            return {key: reverse(one[key]) for key in reversed(one)}
        return [reverse(item) for item in one] if isinstance(one, list) else one

    assert repr(ordered(reverse(value))) == repr(ordered(value))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda c: c["models"]["contig"].update(modalities=["snps"]) or c.pop("snps"), "there is no snps: block"),
        (lambda c: c.pop("images"), "there is no images: block"),
        (lambda c: c["images"].update(dimensions=3), "images.crop is fundus, but images.dimensions is 3"),
        (lambda c: c["images"].update(dimensions=4), "images.dimensions is 4, but must be one of 2, 3"),
        (lambda c: c["gwas"].update(tests=["minp"]), "loci.test is manova"),
        (lambda c: c["gwas"].update(tests=["minp", "skat"]), "gwas.tests.1 is 'skat', but must be one of minp"),
        (lambda c: c["gwas"].update(missing="drop"), "gwas.missing is 'drop', but must be one of exact, mean"),
        (lambda c: c["gwas"].update(columns=["p"]), "gwas.columns.0 is 'p', but must be one of"),
        (lambda c: c["loci"].update(p2=1e-9), "loci.p2 is smaller"),
        (lambda c: c["loci"].update(p1=0), "loci.p1 is not valid"),
        (lambda c: c["loci"].update(p2=1.5), "loci.p2 is not valid"),
        (lambda c: c["loci"].update(r2=-0.1), "loci.r2 is not valid"),
        (lambda c: c["loci"].update(kb=0), "loci.kb is not valid"),
        (lambda c: c["loci"].update(genes="a.bed", genes_build="GRCh38"), "GRCh38 by its declaration loci.genes_build"),
        (lambda c: c["loci"].update(genes="glist-hg38.txt"), "GRCh38 by its name, but genotypes.build is GRCh37"),
        (lambda c: c["loci"].update(genes_build="hg19"), "must be one of GRCh37, GRCh38, null"),
        (lambda c: c["models"].update({"a b": {"phenotypes": "x"}}), "an unknown key a b"),
        (lambda c: c["genotypes"].update(array="{chr}.bed"), "braces other than"),
        (lambda c: c["genotypes"].pop("array"), "genotypes: array is missing"),
        (lambda c: c["genotypes"].update(chromosomes=["chr1"]), "has chr1: write autosomes as plain numbers"),
        (lambda c: c["genotypes"].update(chromosomes=[1, "1"]), "has a duplicated chromosome"),
        (lambda c: c.update(plots={"features": "PC1"}), "a list of names, all, or null"),
        (lambda c: c.update(plots={"recombination": "{build}.map"}), "braces other than {chrom}"),
        (lambda c: c["genotypes"].update(chromosomes=["X"]), "has only X"),
        (lambda c: c["genotypes"].update(chromosomes=[1, 23]), "has 23: write X"),
        (lambda c: c["genotypes"].update(chromosomes=[1, "Y"]), "Y and MT are not analysed"),
        (lambda c: c["genotypes"].update(chromosomes=[1, 26]), "has 26: Y and MT are not analysed"),
        (lambda c: c["genotypes"].update(chromosomes=[1, "PAR1"]), "has PAR1: write autosomes"),
        (lambda c: c["genotypes"].update(array="chr{chrom}.vcf.gz"), "array.*not valid.*bed, .pgen or .bgen"),
        (lambda c: c["models"].update({1: {"phenotypes": "x"}}), "a key 1 that YAML does not read as text"),
        (lambda c: c["models"]["simclr"].update(dropout=0.5), "simclr has an unknown key dropout"),
        (lambda c: c["models"]["contig"].update(epochs=True), "must be a whole number"),
        (lambda c: c["phenotypes"].update(components="10"), "reads as text: write it without quotes$"),
    ],
)
def test_contradicting_keys_are_errors(change, sentence):
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    change(config)
    with pytest.raises(UserError, match=sentence):
        check_config(config)


def test_a_list_of_genes_with_a_declared_build_and_a_test_of_one_feature(demo):
    demo["loci"] |= {"test": "disc", "genes": "glist-hg38.txt", "genes_build": "GRCh37"}
    check_config(demo)
    assert demo["loci"]["test"] == "disc"


@pytest.mark.parametrize(
    ("model", "change", "sentence"),
    [
        ("contig", {"noise": 4}, "models.contig.noise is 4, but covariates are not among its modalities"),
        (
            "contig",
            {"genetics_init": "gwas", "genetics_encoder": "h1"},
            "genetics_init is gwas, .*encoder is h1: only",
        ),
        ("contig", {"adjust_pcs": 5, "adjust": ["snps", "blood"]}, "adjust names blood, which is not one of its modal"),
        ("contig", {"adjust_pcs": 5, "modalities": ["snps"]}, "adjust names pgs, .*: name modalities .* .of snps\\)"),
        ("contig", {"adjust_pcs": 5, "adjust": []}, "adjust is empty: name modalities .*of snps, pgs, burden"),
        ("contig", {"warmup": 0.1}, "warmup is 0.1, but its schedule is onecycle, .* schedule: cosine"),
        (
            "simclr",
            {"image_encoder": "vit_tiny", "patch": 12},
            "patch is 12, but images.size is 64, which is not a multiple",
        ),
        (
            "contig",
            {"embed": {"layer": "mri"}},
            "models.contig.embed.layer is mri, .*: write trunk or snps or pgs or burden$",
        ),
        ("simclr", {"embed": {"layer": "pgs"}}, "models.simclr.embed.layer is pgs, .*: write trunk or views$"),
        ("simclr", {"method": "byol", "embed": {"layer": "views"}}, "has no such head: write trunk$"),
        ("simclr", {"method": "nnclr", "queue": 64}, "queue is 64, less than its batch of 128"),
        (
            "simclr",
            {"method": "mgi", "modalities": ["pgs"], "gene_encoder": "transformer", "gene_width": 100},
            "models.simclr.gene_width is 100, which the heads of a transformer cannot share evenly: write a multiple "
            "of 32",
        ),
    ],
)
def test_keys_of_a_recipe_that_contradict_each_other(model, change, sentence):
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    config["models"][model].update(change)
    with pytest.raises(UserError, match=sentence) as error:
        check_config(config)
    assert "\n" not in str(error.value)


def test_a_layer_for_all_models_is_one_that_all_have():
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    config["embed"] = {"layer": "pgs"}
    with pytest.raises(
        UserError, match=r"embed\.layer is pgs, but the model simclr .* views in models\.simclr\.embed\.layer"
    ):
        check_config(config)
    config["models"]["simclr"]["embed"] = {"layer": "views"}
    check_config(config)
    assert job_settings(config, "embed", model="simclr")["embed"]["layer"] == "views"


@pytest.mark.parametrize(
    ("model", "change"),
    [
        ("contig", {"modalities": ["snps"]}),  # adjust is [pgs] by default, but nothing is adjusted
        ("contig", {"modalities": ["snps"], "adjust_pcs": 5, "adjust": ["snps"]}),
        ("contig", {"modalities": ["pgs", "covariates"], "noise": 4}),
        ("contig", {"genetics_init": "gwas"}),
        ("contig", {"warmup": 0.1, "schedule": "cosine"}),
        ("simclr", {"image_encoder": "vit_tiny", "width": 16}),  # a ViT ignores the width
        ("simclr", {"patch": 12}),  # a ResNet the patches
        ("contig", {"embed": {"layer": "burden"}}),
    ],
)
def test_keys_of_a_recipe_that_go_together(model, change):
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    config["covariates"] = {"columns": ["sex"]}
    config["models"][model].update(change)
    check_config(config)
    check_config(config)  # with the defaults filled in it means the same


def test_every_key_of_a_recipe_has_a_default_and_says_what_it_is():
    definitions = read_schema()["$defs"]
    for method in definitions["shared"]["properties"]["method"]["enum"]:
        keys = definitions[method]["properties"]
        for name, key in {**keys, **keys["augment"]["properties"]}.items():
            if name in ("phenotypes", "embed"):
                continue
            assert name in ("method", "modalities") or "default" in key, f"{method}.{name}"
            assert "description" in key or name == "augment", f"{method}.{name}"


def test_the_config_reference_is_current():
    specification = importlib.util.spec_from_file_location("reference", ROOT / "docs/config_reference.py")
    reference = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(reference)
    assert (ROOT / "docs/config.md").read_text() == reference.page(), "run make docs"


def test_an_override_leaves_the_other_keys_as_the_block_has_them():
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    config["phenotypes"] = {"components": 30, "transform": "none"}
    config["models"]["simclr"]["phenotypes"] = {"transform": "inverse-normal"}
    config["models"]["contig"]["phenotypes"] = {"components": 0}
    check_config(config)
    merged = {model: job_settings(config, "phenotypes", model=model)["phenotypes"] for model in ("simclr", "contig")}
    assert merged["simclr"] == {"components": 30, "transform": "inverse-normal"}
    assert merged["contig"] == {"components": 0, "transform": "none"}


def test_the_covariates_default_to_the_genetic_components():
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    del config["gwas"]["covariates"]
    check_config(config)
    assert config["gwas"]["covariates"] == ["PC1-PC10"]
