"""The rules of a simulated cohort with tumours: which run, what they write, and that the demo has none of them."""

import pandas as pd
import pytest
import yaml

LESIONS = {"dimensions": 2, "genes": 60}


@pytest.fixture
def heads(study):
    """The small study with tumours in place of photographs; `lesions` may be changed."""

    def make(**lesions):
        run = study("small.yaml")
        config = yaml.safe_load(run.config.read_text())
        config["simulate"] |= {"n_samples": 80, "related_pairs": 2, "lesions": LESIONS | lesions}
        config["images"]["crop"] = "none"
        run.config.write_text(yaml.safe_dump(config))
        return run

    return make


@pytest.mark.slow
def test_expression_pictures_and_masks_are_made_and_then_nothing_is_left_to_do(heads):
    run = heads()
    done = run("simulate", "images")
    assert done.status == 0, done.text[-3000:]
    rules = {rule for rule, _ in done.jobs()}
    assert {"simulate_cohort", "simulate_expression", "simulate_lesions"} <= rules
    assert "simulate_images" not in rules
    made = run.folder / "resources/demo"
    masks = pd.read_csv(made / "masks.tsv", sep="\t")
    assert all((made / path).is_file() for column in ("path", "mask") for path in masks[column])
    assert {"expression.tsv", "genes.tsv", "programmes.tsv"} <= {path.name for path in made.iterdir()}
    images = pd.read_parquet(run.folder / "results/images/images.parquet")
    assert images["kept"].sum() >= 70
    assert images["reason"].ne("").sum() >= 4, "the unusable ones"
    assert not {rule for rule, _ in run.dry("simulate", "images").jobs()} - {"simulate", "images"}


def test_the_demo_has_photographs_and_no_expression(study):
    rules = {rule for rule, _ in study("small.yaml").dry().jobs()}
    assert "simulate_images" in rules
    assert not rules & {"simulate_expression", "simulate_lesions"}


@pytest.mark.slow
def test_settings_that_make_no_sense_end_before_the_cohort_in_one_sentence(heads):
    run = heads(genes=59)
    done = run("simulate")
    assert done.status != 0
    said = [line for line in done.text.splitlines() if "simulate.lesions.genes is 59" in line]
    assert said, done.text[-3000:]
    assert "Traceback" not in done.text
    assert not (run.folder / "resources/demo/latents.tsv").exists()
