"""Preflight catches what would end a run, says what to do, and names nobody. No inputs are read whole for it."""

import errno
import gzip
import json
import os
import struct
import subprocess
import sys
import zlib
from collections import namedtuple

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from contigwas import config as contigwas_config
from contigwas.errors import UserError
from contigwas.genotypes.bgen_index import read_index
from contigwas.preflight import burden, genotypes, machine, scores
from contigwas.preflight.findings import Findings
from contigwas.preflight.machine import Plan
from contigwas.preflight.preflight import examine, preflight
from contigwas.preflight.sample import spread
from tests.genotype_files import write_bgen, write_bgi, write_pgen, write_sample
from tests.preflight_files import PEOPLE, Spoiled, known, write_array, write_embeddings, write_images, write_score
from tests.preflight_files import write_study as write

HEAVY = ["torch", "monai", "anndata", "sklearn", "lightning", "matplotlib", "statsmodels", "scipy.stats"]


@pytest.fixture
def spoiled(tmp_path, monkeypatch, root) -> Spoiled:
    """A study without a mistake, as the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(machine, "gpus", list)
    return Spoiled(tmp_path, write(tmp_path))


def checked(spoiled: Spoiled, root) -> dict:
    contigwas_config.check(spoiled.config, root / "workflow/schemas/config.schema.yaml")
    return spoiled.config


def truncated(one):
    one.edit("chr1.bed", lambda data: data[:-5])


def wrong_magic(one):
    one.edit("chr2.bed", lambda data: b"PK\x03" + data[3:])


def shorter_bim(one):
    one.lines("chr1.bim", lambda lines: lines[:-4])


def shorter_fam(one):
    one.lines("chr2.fam", lambda lines: lines[:-4])


def person_twice(one):
    for chrom in (1, 2):
        one.lines(f"chr{chrom}.fam", lambda lines: [*lines[:-1], lines[0]])


def other_chromosome(one):
    one.lines("chr2.bim", lambda lines: ["7" + line[1:] for line in lines])


def strangers(one):
    write_images(one.folder, [f"HG{number:05d}" for number in range(90)])


def headerless_keep(one):
    one.lines("keep.tsv", lambda lines: lines[1:])


def no_image_there(one):
    one.lines("images.tsv", lambda lines: [line.replace("eyes/", "eye/") for line in lines])


def unreadable_images(one):
    write_images(one.folder, draw=lambda path: path.write_bytes(b"\x89PNG no photograph"))


def black_images(one):
    write_images(one.folder, draw=lambda path: Image.new("RGB", (64, 64)).save(path))


def image_twice(one):
    one.lines("images.tsv", lambda lines: [*lines, lines[-1]])


def other_build(one):
    for chrom in ("1", "2"):
        write_array(one.folder, chrom, np.random.default_rng(3), build=3)


def score_without_allele(one):
    write_score(one.folder / "PGS2.txt.gz", "PGS2", columns="counted")


def score_of_other_build(one):
    write_score(one.folder / "PGS2.txt.gz", "PGS2", build=3)


def score_twice(one):
    write_score(one.folder / "PGS2.txt.gz", "PGS1")


def scores_elsewhere(one):
    write_score(one.folder / "PGS1.txt.gz", "PGS1", rows=500)


def no_score(one):
    one.set(pgs={"scores": "scores/*.gz"})


def annotations_of_others(one):
    one.lines("annotations.txt", lambda lines: [line.replace(":G:A", ":C:T") for line in lines])


def unknown_mask(one):
    one.set(burden={"masks": {"lof": ["frameshift"]}})


def sets_of_other_chromosomes(one):
    one.lines("sets.txt", lambda lines: [line.replace(" 1 ", " 8 ").replace(" 2 ", " 9 ") for line in lines])


def absent_covariate(one):
    one.set(gwas={"covariates": ["sex", "height_cm"]})


def covariate_of_texts(one):
    def add(lines):
        return [lines[0] + "\tsite", *(f"{line}\tplace {number}" for number, line in enumerate(lines[1:]))]

    one.lines("covariates.tsv", add)
    one.set(gwas={"covariates": ["site"]})


def covariates_of_others(one):
    one.lines("covariates.tsv", lambda lines: [lines[0], *(f"X{line}" for line in lines[1:])])


def phenotypes_twice(one):
    one.lines("traits.tsv", lambda lines: [*lines, lines[-1]])


def phenotypes_with_text(one):
    one.lines("traits.tsv", lambda lines: [lines[0], *(f"{line}x" for line in lines[1:])])


def embeddings_without_values(one):
    write_embeddings(one.folder, np.full((90, 6), np.nan, np.float32))


def no_embeddings(one):
    (one.folder / "deep.h5ad").write_text("no HDF5\n")


def kinship_without_column(one):
    one.lines("rel.kin0", lambda lines: [lines[0].replace("KINSHIP", "PI_HAT"), *lines[1:]])


def components_missing(one):
    one.set(genotypes={"pcs": 5})


def genes_of_other_build(one):
    one.lines("genes.gtf", lambda lines: [lines[0].replace("GRCh37", "GRCh38"), *lines[1:]])


def no_map(one):
    (one.folder / "map.txt").write_text("a b\n1 2\n")


def offsets_without_file(one):
    (one.folder / "first.loco").unlink()


def modality_with_text(one):
    one.lines("blood.tsv", lambda lines: [*lines[:-1], f"{lines[-1].split()[0]}\thigh"])


def large_batch(one):
    one.config["models"]["contig"] = {**one.config["models"]["contig"], "batch": 80}


def many_components(one):
    one.set(genotypes={"pcs": 90, "pcs_file": None}, gwas={"covariates": []})


def nobody_left(one):
    (one.folder / "withdrawn.txt").write_text("\n".join(PEOPLE[:85]) + "\n")


def results_is_a_file(one):
    (one.folder / "results").write_text("")


ERRORS = [
    (truncated, "genotypes.array", "it is cut short"),
    (wrong_magic, "genotypes.array", "bring a .bed file"),
    (shorter_bim, "genotypes.array", "the three files do not belong together"),
    (shorter_fam, "genotypes.array", "all files of the genotypes must name the same people"),
    (person_twice, "genotypes.array", "keep one row a person"),
    (other_chromosome, "genotypes.array", "has no variant on chromosome 2 (it has 7): correct the config"),
    (strangers, "images.table", "IIDs must be written the same way in both"),
    (headerless_keep, "samples.keep", "keep.tsv has no column iid"),
    (no_image_there, "images.table", "paths are relative to the table"),
    (unreadable_images, "images.table", "(90 unreadable): correct its paths"),
    (black_images, "images.table", "black): correct its paths"),
    (image_twice, "images.table", "give each image one row and one person"),
    (other_build, "genotypes.build", "but genotypes.build is GRCh37: correct it, or bring genotypes of GRCh37"),
    (score_without_allele, "pgs.scores", "bring a scoring file of the PGS Catalog"),
    (score_of_other_build, "pgs.scores", "download the file that the PGS Catalog harmonised to GRCh37"),
    (score_twice, "pgs.scores", "keep one"),
    (scores_elsewhere, "pgs.scores", "lower pgs.min_overlap"),
    (no_score, "pgs.scores", "correct it or put the files there"),
    (annotations_of_others, "burden.annotations", "check that both are of one build"),
    (unknown_mask, "burden.masks", "its categories are LoF, missense; correct burden.masks"),
    (sets_of_other_chromosomes, "burden.sets", "has no gene on the chromosomes of genotypes.chromosomes"),
    (absent_covariate, "gwas.covariates", "correct the names, or raise genotypes.pcs"),
    (covariate_of_texts, "gwas.covariates", "write numbers, factor(name) in gwas.covariates for categories"),
    (covariates_of_others, "samples.covariates", "IIDs must be written the same way in both"),
    (phenotypes_twice, "models.traits.phenotypes", "keep one row a person"),
    (phenotypes_with_text, "models.traits.phenotypes", "write numbers, and NA where a value is not known"),
    (embeddings_without_values, "models.deep.embeddings", "drop the features that lack them"),
    (no_embeddings, "models.deep.embeddings", "write it with anndata"),
    (kinship_without_column, "genotypes.kinship", "has no column KINSHIP: its header has iid1, iid2, pi_hat"),
    (components_missing, "genotypes.pcs_file", "has no column PC3"),
    (genes_of_other_build, "loci.genes", "bring a list of GRCh37"),
    (no_map, "plots.recombination", "is no recombination map: expected"),
    (offsets_without_file, "gwas.offsets", "put them beside it"),
    (modality_with_text, "modalities.blood", "bring people x numbers"),
    (large_batch, "models.contig.batch", "lower batch, or take fewer folds"),
    (many_components, "genotypes.pcs", "only 84 people are analysed: lower it"),
    (nobody_left, "samples", "correct the lists"),
    (results_is_a_file, "results", "run elsewhere with --directory"),
]


def kept(text: str) -> str:
    """A table's text without its wrapping."""
    return " ".join(text.split())


@pytest.mark.parametrize(("mistake", "key", "remedy"), ERRORS, ids=lambda value: getattr(value, "__name__", None))
def test_an_error_says_what_to_do(spoiled, root, capsys, mistake, key, remedy):
    mistake(spoiled)
    config = checked(spoiled, root)
    errors = examine(config, Plan()).findings.of("error")
    assert [one.text for one in errors if one.key == key and remedy in one.text], errors
    assert preflight(config, Plan(), 100) == 1
    out = capsys.readouterr().out
    assert out.startswith(f"ERRORS ({len(errors)})")
    assert not [iid for iid in PEOPLE if iid in out]
    assert max(map(len, out.splitlines())) <= 100


def test_a_study_without_a_mistake(spoiled, root, capsys):
    """Counts are those of what was written: 84 of 90 people, one withdrawn and five not kept."""
    config = checked(spoiled, root)
    study = examine(config, Plan())
    assert not study.findings.of("error"), study.findings.of("error")
    assert preflight(config, Plan(), 100) == 0
    out = kept(capsys.readouterr().out)
    places = len(known("1", 2)) + len(known("2", 2))
    for fact in (
        "80 variants of 90 people in 2 .bed files",
        "by chromosome: chr1=40, chr2=40",
        f"build: GRCh37 (known rsIDs at their place: {places} on GRCh37, 0 on GRCh38",
        "90 images of 90 people (90 left)",
        "90 files looked for, 90 found; 90 opened, 48 of these decoded",
        "1 scores in 1 files",
        "the genotypes have 100% to 100% of a score's rows",
        "20 annotations of 2 genes, categories LoF 10, missense 10",
        "20 of 20 annotations are of variants of the exome calls",
        "2 genes, 2 of them on the chromosomes analysed",
        "84 of 84 people have every covariate of sex, age, PC1-PC2",
        "2 features of 90 people, 0 of them without any",
        "6 features of 90 people (90 of them looked at)",
        "contig: 2 features; the first has predictions for 84 people analysed",
        "84 people are analysed",
        "withdrawn 1 1 0",
        "kinship 2 2 2",
        "exome 90 90 84",
    ):
        assert fact in out, (fact, out)


def test_missing_files_are_all_listed(spoiled, root):
    spoiled.set(samples={"covariates": "c.tsv", "keep": "k.tsv"}, loci={"genes": "g.gtf"}, images={"table": "i.tsv"})
    (spoiled.folder / "chr2.bim").unlink()
    errors = examine(checked(spoiled, root), Plan()).findings.of("error")
    keys = {one.key for one in errors if "does not exist: correct it or put it there" in one.text}
    assert keys == {"samples.covariates", "samples.keep", "loci.genes", "images.table", "genotypes.array"}


def some_missing(one):
    write_images(one.folder, [*PEOPLE, *PEOPLE], files=90)


def some_unreadable(one):
    (one.folder / "eyes/003.png").write_bytes(b"no photograph")


def some_black(one):
    Image.new("RGB", (64, 64)).save(one.folder / "eyes/000.png")


def nobody_withdrawn(one):
    (one.folder / "withdrawn.txt").write_text("P000001\nP000002\n")


def constant_covariate(one):
    one.lines("covariates.tsv", lambda lines: [lines[0], *(line.rsplit("\t", 1)[0] + "\t60" for line in lines[1:])])


def covariate_lacking(one):
    one.lines("covariates.tsv", lambda lines: lines[:60])


def some_embeddings(one):
    values = np.random.default_rng(1).normal(size=(90, 6)).astype(np.float32)
    values[3, 2] = np.nan
    write_embeddings(one.folder, values)


def scores_elsewhere_but_others_fetched(one):
    scores_elsewhere(one)
    one.set(pgs={"download": ["PGS000018"]})


def offsets_of_another_feature(one):
    one.lines("contig_pred.list", lambda lines: [*lines, "E3 third.loco"])


def one_score_elsewhere(one):
    write_score(one.folder / "PGS2.txt.gz", "PGS2", rows=500)


def small_heldout(one):
    one.config["models"]["contig"] = {**one.config["models"]["contig"], "folds": 1}


def lock_left(one):
    (one.folder / ".snakemake/locks").mkdir(parents=True)
    (one.folder / ".snakemake/locks/0.output.lock").write_text("results/samples/cohort.tsv\n")


WARNINGS = [
    (some_missing, "images.table", "90 of the 180 files of images.tsv that were looked for do not exist"),
    (some_unreadable, "images.table", "(1 unreadable): such images are dropped"),
    (some_black, "images.table", "(1 black): such images are dropped"),
    (nobody_withdrawn, "samples.withdrawn", "write them as the genotypes do"),
    (constant_covariate, "gwas.covariates", "take it out of gwas.covariates"),
    (covariate_lacking, "gwas.covariates", "people have no age, and are not tested: complete it"),
    (some_embeddings, "models.deep.embeddings", "1 of 90 people looked at have a feature without a value"),
    (one_score_elsewhere, "pgs.scores", "1 of 2 scores have fewer than 0.75 of their rows"),
    (scores_elsewhere_but_others_fetched, "pgs.scores", "1 of 1 scores have fewer than 0.75 of their rows"),
    (offsets_of_another_feature, "gwas.offsets", "1 .loco files that do not exist (the first is of E3): put those of"),
    (small_heldout, "models.contig", "raise samples.heldout, or cross-fit with folds: 3 or more"),
    (lock_left, ".snakemake/locks", "open it with snakemake --unlock"),
]


@pytest.mark.parametrize(("mistake", "key", "remedy"), WARNINGS, ids=lambda value: getattr(value, "__name__", None))
def test_a_warning_lets_the_run_begin(spoiled, root, capsys, mistake, key, remedy):
    mistake(spoiled)
    config = checked(spoiled, root)
    warnings = examine(config, Plan()).findings.of("warning")
    assert [one.text for one in warnings if one.key == key and remedy in one.text], warnings
    assert preflight(config, Plan(), 100) == 0
    out = capsys.readouterr().out
    assert not [iid for iid in PEOPLE if iid in out]


@pytest.mark.parametrize("spoil", [lambda data: data[:-40], lambda data: data[:40] + b"\0" * 40 + data[80:]])
def test_a_large_file_that_is_damaged_is_one_error_among_others(spoiled, root, monkeypatch, spoil):
    """Cut short, or overwritten: of a large table of annotations the first lines are read."""
    monkeypatch.setattr(burden, "WHOLE", 0)
    lines = gzip.compress((spoiled.folder / "annotations.txt").read_bytes() * 50)
    (spoiled.folder / "annotations.txt").write_bytes(spoil(lines))
    absent_covariate(spoiled)
    errors = {one.key: one.text for one in examine(checked(spoiled, root), Plan()).findings.of("error")}
    assert set(errors) == {"burden.annotations", "gwas.covariates"}
    assert errors["burden.annotations"].startswith("a file is damaged")
    assert errors["burden.annotations"].endswith("copy it again")


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (EOFError(), "copy it again"),
        (zlib.error("5183007"), "copy it again"),
        (ValueError("5183007 is no number"), "copy it again"),
        (KeyError("5183007"), "copy it again"),
        (gzip.BadGzipFile("CRC check failed"), "copy it again"),
        (PermissionError(errno.EACCES, "Permission denied", "5183007.png"), "see to its permissions"),
    ],
)
def test_what_a_reader_raises_is_an_error_of_its_key(caplog, error, remedy):
    findings = Findings()
    with caplog.at_level("INFO", "contigwas"), findings.told("snps.list"):
        raise error
    assert [(one.level, one.key) for one in findings.found] == [("error", "snps.list")]
    assert findings.found[0].text.endswith(remedy)
    logged = "".join(one.getMessage() for one in caplog.records)
    assert "5183007" not in findings.found[0].text + logged
    assert ("workflow/test_preflight.py:" in logged) == (remedy == "copy it again"), "where it was raised"


@pytest.mark.parametrize("kind", ["string", "category"])
def test_the_index_of_embeddings_may_be_of_any_kind_that_anndata_writes(spoiled, root, kind):
    values = ad.AnnData(np.ones((90, 6), np.float32), obs=pd.DataFrame(index=pd.Index(PEOPLE, dtype=kind)))
    with ad.settings.override(allow_write_nullable_strings=True):
        values.write_h5ad(spoiled.folder / "deep.h5ad")
    with h5py.File(spoiled.folder / "deep.h5ad") as file:
        assert isinstance(file["obs/_index"], h5py.Group), "not an array of strings"
    study = examine(checked(spoiled, root), Plan())
    assert not study.findings.of("error"), study.findings.of("error")
    assert list(study.people["deep (embeddings)"]) == PEOPLE
    with h5py.File(spoiled.folder / "deep.h5ad", "a") as file:
        index = file["obs/_index"]
        index["mask" if kind == "string" else "codes"][3] = True if kind == "string" else -1
    errors = examine(spoiled.config, Plan()).findings.of("error")
    assert "has 1 people without a name: write an IID for each in obs" in errors[0].text


@pytest.mark.parametrize(("bad", "level"), [(50, "warning"), (90, "error")])
def test_volumes_are_judged_by_all_that_were_opened(spoiled, root, bad, level):
    """By their headers: more than are decoded of photographs, and only all of them are an error."""
    for number in range(90):
        header = struct.pack("<i36x8h", 348, 3, 4, 4, 1 if number < bad else 4, 1, 1, 1, 1)
        (spoiled.folder / f"{number}.nii").write_bytes(header.ljust(352, b"\0"))
    rows = [f"{iid}\t{number}.nii" for number, iid in enumerate(PEOPLE)]
    (spoiled.folder / "volumes.tsv").write_text("\n".join(["iid\tpath", *rows]) + "\n")
    spoiled.set(images={"table": "volumes.tsv", "dimensions": 3})
    told = examine(checked(spoiled, root), Plan()).findings
    found = [one for one in told.found if one.key == "images.table" and f"({bad} flat)" in one.text]
    assert [one.level for one in found] == [level], told.found


@pytest.mark.parametrize(("black", "level"), [(47, "warning"), (48, "error")])
def test_photographs_are_judged_by_those_looked_into(spoiled, root, black, level):
    """48 are decoded; a DICOM file among them, which is not, may be usable."""
    looked = spread(range(90), 48)
    for number in looked[:black]:
        Image.new("RGB", (64, 64)).save(spoiled.folder / f"eyes/{number:03d}.png")
    text = (spoiled.folder / "images.tsv").read_text()
    for number in looked[black:]:
        (spoiled.folder / f"eyes/{number:03d}.dcm").write_bytes(b"\0" * 128 + b"DICM")
        text = text.replace(f"{number:03d}.png", f"{number:03d}.dcm")
    (spoiled.folder / "images.tsv").write_text(text)
    told = examine(checked(spoiled, root), Plan()).findings
    found = [one for one in told.found if one.key == "images.table" and f"({black} black)" in one.text]
    assert [one.level for one in found] == [level], told.found
    assert f"{black} of these decoded" in " ".join(one.text for one in told.of("fact"))


def test_values_of_a_swapped_column_are_not_printed(spoiled, root):
    def swap(lines):
        rows = [line.split("\t") for line in lines[1:]]
        return ["iid\teye\tpath", *(f"{iid}\t{iid if number > 2 else 'right'}\t{path}" for number, (iid, _, _, path)
                in enumerate(rows))]  # fmt: skip

    spoiled.lines("images.tsv", swap)
    told = [one.text for one in examine(checked(spoiled, root), Plan()).findings.found]
    assert "90 images of 90 people (87 of other values in the column eye, 3 right)" in told
    assert not [text for text in told if any(iid in text for iid in PEOPLE)]


def test_too_little_disk_and_memory(spoiled, root, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda path: usage(10, 10, 1000))
    monkeypatch.setattr(machine, "available", lambda: 1000)
    config = checked(spoiled, root)
    errors = {one.key: one.text for one in examine(config, Plan()).findings.of("error")}
    assert errors["disk"].endswith("run on another disk with --directory")
    assert "run on a machine with more memory" in errors["memory"]
    need = sum(machine.estimate(examine(config, Plan()), gpu=False).disk.values())
    for share, level in ((0.6, "error"), (0.9, "warning"), (1.2, "warning"), (1.6, None)):
        free = int(share * need)
        monkeypatch.setattr(machine.shutil, "disk_usage", lambda path, free=free: usage(10, 10, free))
        told = examine(config, Plan()).findings
        found = [one.level for one in told.found if one.key == "disk" and one.level != "fact"]
        assert found == [level] * bool(level), share
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda path: usage(10, 10, 1000))
    elsewhere = {one.key for one in examine(config, Plan(local=False)).findings.of("error")}
    assert elsewhere == {"disk"}, "the memory of a cluster's nodes is not this machine's"


def test_gpus_that_are_not_there(spoiled, root, monkeypatch):
    config = checked(spoiled, root)
    told = {one.key: one.text for one in examine(config, Plan(gpus=4)).findings.of("warning")}
    assert "resources: gpu=4" in told["gpu"]
    assert "gpu" not in {one.key for one in examine(config, Plan(gpus=1)).findings.of("warning")}
    monkeypatch.setattr(machine, "LONG", 0)
    told = {one.key: one.text for one in examine(config, Plan(gpus=1)).findings.of("warning")}
    assert "run on a machine or a cluster with one" in told["gpu"]


def test_samples_of_large_files_tell_the_same(spoiled, root, monkeypatch):
    """What is too large to be read whole is counted from sizes; truncation is still seen."""
    whole = examine(checked(spoiled, root), Plan())
    for module in (genotypes, burden, scores):
        monkeypatch.setattr(module, "WHOLE", 0)
    part = examine(spoiled.config, Plan())
    assert not part.findings.of("error")
    for key in ("genotypes.array", "burden.genotypes"):
        assert not part.variants[key].whole
        assert part.variants[key].counts == whole.variants[key].counts
    texts = [one.text for one in part.findings.of("fact")]
    assert any("counted from sizes and headers" in one for one in texts)
    assert any("1 of them by their header alone" in one for one in texts)
    spoiled.edit("chr1.bed", lambda data: data[:-5])
    assert any("it is cut short" in one.text for one in examine(spoiled.config, Plan()).findings.of("error"))


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("suffix", ["pgen", "bgen"])
def test_other_formats(spoiled, root, monkeypatch, suffix, whole):
    rng = np.random.default_rng(8)
    for chrom in ("1", "2"):
        path = spoiled.folder / f"imputed{chrom}.{suffix}"
        if suffix == "pgen":
            write_pgen(path, rng.binomial(2, 0.3, (90, 50)).astype(np.int8), PEOPLE, [chrom] * 50)
        else:
            write_bgen(path, rng.multinomial(255, (0.4, 0.4, 0.2), (90, 50))[..., :2], PEOPLE, [chrom] * 50)
            write_bgi(path, [*read_index(path)["start"], path.stat().st_size], [chrom] * 50)
            write_sample(path.with_suffix(".sample"), PEOPLE, ["0"] * 90)
    spoiled.set(gwas={"genotypes": f"imputed{{chrom}}.{suffix}"})
    if not whole:
        monkeypatch.setattr(genotypes, "WHOLE", 0)
        monkeypatch.setattr(genotypes, "MANY", 0)
    study = examine(checked(spoiled, root), Plan())
    assert not study.findings.of("error"), study.findings.of("error")
    assert study.variants["gwas.genotypes"].counts == {"1": 50, "2": 50}
    spoiled.edit(f"imputed2.{suffix}", lambda data: data[:-5])
    errors = examine(spoiled.config, Plan()).findings.of("error")
    assert [one.key for one in errors] == ["gwas.genotypes"]
    assert "cut short" in errors[0].text


def test_nothing_heavy_is_imported(spoiled, root):
    """In a process of its own, over every kind of input."""
    config = checked(spoiled, root)
    (spoiled.folder / "config.json").write_text(json.dumps(config))
    code = (
        "import json, sys; from contigwas.preflight.machine import Plan; "
        "from contigwas.preflight.preflight import preflight; "
        "status = preflight(json.load(open('config.json')), Plan(), 100); "
        f"sys.exit(status or ' '.join(one for one in {HEAVY} if one in sys.modules) or 0)"
    )
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "FACTS" in done.stdout


def test_a_mistake_in_the_config_ends_in_its_sentence(spoiled, root):
    spoiled.set(genotypes={"chromosomes": ["X"]})
    with pytest.raises(UserError, match="add at least one"):
        checked(spoiled, root)


# through snakemake


@pytest.fixture
def run(study):
    """A study of the workflow with the files of a spoiled one; its config is saved before every run."""
    made = study("phenotypes.yaml")
    return made, Spoiled(made.folder, write(made.folder))


def test_the_target(run):
    workflow, spoiled = run
    spoiled.save(workflow.config)
    done = workflow("preflight")
    assert done.status == 0, done.text[-3000:]
    assert "preflight: 0 errors and" in done.text
    assert workflow("preflight").text.count("FACTS (") == 1, "it runs again, because it writes nothing"
    assert not (spoiled.folder / "results").exists()


@pytest.mark.parametrize(
    ("mistakes", "remedies"),
    [
        ([truncated, headerless_keep], ["it is cut short", "keep.tsv has no column iid"]),
        ([absent_covariate, results_is_a_file], ["correct the names", "elsewhere with --directory"]),
        ([kinship_without_column, score_of_other_build], ["has no column KINSHIP", "harmonised to GRCh37"]),
    ],
)
def test_the_target_lists_all_errors(run, mistakes, remedies):
    workflow, spoiled = run
    for mistake in mistakes:
        mistake(spoiled)
    spoiled.save(workflow.config)
    done = workflow("preflight")
    assert done.status == 1
    assert "Traceback" not in done.text
    for remedy in remedies:
        assert remedy in kept(done.text), done.text[-4000:]
    assert not [iid for iid in PEOPLE if iid in done.text]


def test_missing_files_end_other_targets_at_once(run):
    workflow, spoiled = run
    spoiled.set(samples={"keep": "k.tsv"}, loci={"genes": "g.gtf"})
    spoiled.save(workflow.config)
    both = workflow("preflight")
    assert both.status == 1
    assert "k.tsv, which does not exist" in kept(both.text)
    assert "g.gtf, which does not exist" in kept(both.text)
    other = workflow.dry("samples")
    assert other.status == 1
    assert other.text.count("which does not exist: correct it or put it there") == 1
    assert workflow.dry("preflight", "samples").status == 1


@pytest.mark.parametrize(
    ("blocks", "sentence"),
    [
        ({"genotypes": {"chromosomes": ["X"]}}, "so add at least one"),
        ({"gwas": {"covariate": ["sex"]}}, "did you mean covariates?"),
        ({"loci": {"p1": "5e-8"}}, "write it without quotes and with a point"),
    ],
)
def test_mistakes_of_the_config(run, blocks, sentence):
    workflow, spoiled = run
    spoiled.set(**blocks)
    spoiled.save(workflow.config)
    done = workflow("preflight")
    assert done.status == 1
    assert sentence in done.text
    assert "Traceback" not in done.text


def test_a_lock_does_not_stop_it(run):
    workflow, spoiled = run
    lock_left(spoiled)
    spoiled.save(workflow.config)
    done = workflow("preflight")
    assert done.status == 0, done.text[-3000:]
    assert "open it with snakemake --unlock" in kept(done.text)


def test_the_demo_before_anything_is_made(study):
    done = study()("preflight")
    assert done.status == 0, done.text[-3000:]
    text = kept(done.text)
    assert "made by the run: resources/demo/genotypes/chr{chrom}.bed" in text
    assert "made by the run: resources/demo/images.tsv" in text
    assert "made by the run: resources/demo/pgs/*.txt.gz" in text


def test_a_score_cut_short(spoiled, root):
    """A gzipped table of scores that ends early is an error of its own."""
    data = gzip.compress(b"rsID\teffect_allele\teffect_weight\n" + b"rs1\tA\t0.1\n" * 5000)
    (spoiled.folder / "PGS3.txt.gz").write_bytes(data[:-40])
    errors = examine(checked(spoiled, root), Plan()).findings.of("error")
    assert [one.key for one in errors] == ["pgs.scores"]
    assert "download it again" in errors[0].text
