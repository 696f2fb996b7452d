"""The images are an input of phenotypes only where the config names covariates of theirs."""

import yaml

from tests.workflow.test_bad_input import cohort, set_config


def rules(run):
    dry = run.dry("phenotypes")
    assert dry.status == 0, dry.text[-3000:]
    return {rule for rule, _ in dry.jobs()}


def test_images_are_decoded_only_where_their_columns_are_covariates(study):
    run = study("phenotypes.yaml")
    cohort(run.folder)
    (run.folder / "images.tsv").write_text("iid\tpath\n")
    set_config(run, images={"table": "images.tsv"})
    assert "images" not in rules(run)
    set_config(run, gwas={"image_covariates": ["eye"]})
    assert "images" in rules(run)
    config = yaml.safe_load(run.config.read_text())
    del config["images"]
    run.config.write_text(yaml.safe_dump(config))
    dry = run.dry("phenotypes")
    assert dry.status != 0
    assert "gwas.image_covariates names columns of images, but there is no images: block" in dry.text
    assert "Traceback" not in dry.text
