"""Preflight finds mistakes that would stop a run and says how to fix them. It prints no IIDs."""

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

from contigwas.config import check as config_check
from contigwas.genotypes.bgen_index import read_index
from contigwas.preflight import burden, expression, genotypes, machine
from contigwas.preflight import pgs as scores
from contigwas.preflight.findings import Findings
from contigwas.preflight.machine import Plan
from contigwas.preflight.partial_reads import spread
from contigwas.preflight.preflight import examine, preflight
from contigwas.runtime.errors import UserError
from tests.genotype_files import write_bgen, write_bgi, write_pgen, write_sample
from tests.preflight_files import SAMPLES, Spoiled, known
from tests.preflight_files import write_study as write
from tests.preflight_mistakes import ERRORS, WARNINGS, absent_covariate, kept

HEAVY = ["torch", "monai", "anndata", "sklearn", "lightning", "matplotlib", "statsmodels", "scipy.stats"]


@pytest.fixture
def spoiled(tmp_path, monkeypatch, root) -> Spoiled:
    """A study without a mistake, as the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(machine, "gpus", list)
    return Spoiled(tmp_path, write(tmp_path))


def checked(spoiled: Spoiled, root) -> dict:
    config_check.check_config(spoiled.config)
    return spoiled.config


@pytest.mark.parametrize(("mistake", "key", "remedy"), ERRORS, ids=lambda value: getattr(value, "__name__", None))
def test_an_error_says_what_to_do(spoiled, root, capsys, mistake, key, remedy):
    mistake(spoiled)
    config = checked(spoiled, root)
    errors = examine(config, Plan()).findings.of("error")
    assert [one.text for one in errors if one.key == key and remedy in one.text], errors
    assert preflight(config, Plan(), 100) == 1
    out = capsys.readouterr().out
    assert out.startswith(f"ERRORS ({len(errors)})")
    assert not [iid for iid in SAMPLES if iid in out]
    assert max(map(len, out.splitlines())) <= 100


def test_a_study_without_a_mistake(spoiled, root, capsys):
    """Counts are those of what was written: 84 of 90 samples, one withdrawn and five not kept."""
    config = checked(spoiled, root)
    study = examine(config, Plan())
    assert not study.findings.of("error"), study.findings.of("error")
    assert preflight(config, Plan(), 100) == 0
    out = kept(capsys.readouterr().out)
    places = len(known("1", 2)) + len(known("2", 2))
    for fact in (
        "80 variants of 90 samples in 2 .bed files",
        "by chromosome: chr1=40, chr2=40",
        f"build: GRCh37 (reference rsIDs at their position: {places} on GRCh37, 0 on GRCh38",
        "90 images of 90 samples (90 left)",
        "90 files looked up, 90 found; 90 opened, 48 of them decoded",
        "1 scores in 1 files",
        "100% to 100% of the rows of a score are in the genotypes",
        "20 annotations of 2 genes, categories LoF 10, missense 10",
        "20 of 20 annotations are of variants of the exome genotypes",
        "2 genes, 2 of them on the analysed chromosomes",
        "84 of 84 samples have every covariate of sex, age, PC1-PC2",
        "2 features of 90 samples, 0 of them without a value",
        "3 genes; 90 samples; the values of all samples were checked against scale: counts",
        "2 of 3 genes have a position",
        "expression 90 90 84",
        "6 features of 90 samples (90 of them checked)",
        "contig: 2 features; the first has predictions for 84 analysed samples",
        "2 labels; 75 of the 84 analysed samples have one",
        "kinds (labels) 80 80 75",
        "84 samples are analysed",
        "withdrawn 1 1 0",
        "kinship 2 2 2",
        "exome 90 90 84",
    ):
        assert fact in out, (fact, out)


def test_missing_files_are_all_listed(spoiled, root):
    spoiled.set(samples={"covariates": "c.tsv", "keep": "k.tsv"}, loci={"genes": "g.gtf"}, images={"table": "i.tsv"})
    (spoiled.folder / "chr2.bim").unlink()
    errors = examine(checked(spoiled, root), Plan()).findings.of("error")
    keys = {one.key for one in errors if "does not exist: correct the path or add the file" in one.text}
    assert keys == {"samples.covariates", "samples.keep", "loci.genes", "images.table", "genotypes.array"}


@pytest.mark.parametrize(("mistake", "key", "remedy"), WARNINGS, ids=lambda value: getattr(value, "__name__", None))
def test_a_warning_lets_the_run_begin(spoiled, root, capsys, mistake, key, remedy):
    mistake(spoiled)
    config = checked(spoiled, root)
    warnings = examine(config, Plan()).findings.of("warning")
    assert [one.text for one in warnings if one.key == key and remedy in one.text], warnings
    assert preflight(config, Plan(), 100) == 0
    out = capsys.readouterr().out
    assert not [iid for iid in SAMPLES if iid in out]


@pytest.mark.parametrize(
    ("named", "reported"), [(2**29, "90 samples"), (0, "samples not counted: the file is too large")]
)
def test_a_large_table_of_expression_is_looked_at_in_part(spoiled, root, monkeypatch, named, reported):
    """Its header, its samples where they are quickly read, and the values of the first: the mistake below is later."""
    spoiled.lines("expression.csv", lambda lines: [*lines[:-1], lines[-1].replace(",", ",-", 1)])
    checked(spoiled, root)
    assert [one for one in examine(spoiled.config, Plan()).findings.of("error") if "negative" in one.text]
    monkeypatch.setattr(expression, "MAX_BYTES", 0)
    monkeypatch.setattr(expression, "MAX_BYTES_OF_IIDS", named)
    study = examine(spoiled.config, Plan())
    assert not study.findings.of("error"), study.findings.of("error")
    facts = [one.text for one in study.findings.of("fact") if one.key.startswith("expression")]
    assert facts == [f"3 genes; {reported}; the values of the first 20 samples were checked against scale: counts",
                     "not read: the file is too large"]  # fmt: skip
    assert ("expression" in study.samples) == bool(named)


@pytest.mark.parametrize("spoil", [lambda data: data[:-40], lambda data: data[:40] + b"\0" * 40 + data[80:]])
def test_a_large_file_that_is_damaged_is_one_error_among_others(spoiled, root, monkeypatch, spoil):
    """Cut short, or overwritten: of a large table of annotations the first lines are read."""
    monkeypatch.setattr(burden, "MAX_BYTES", 0)
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
        (PermissionError(errno.EACCES, "Permission denied", "5183007.png"), "correct its permissions"),
    ],
)
def test_what_a_reader_raises_is_an_error_of_its_key(caplog, error, remedy):
    findings = Findings()
    with caplog.at_level("INFO", "contigwas"), findings.report_errors("snps.list"):
        raise error
    assert [(one.level, one.key) for one in findings.found] == [("error", "snps.list")]
    assert findings.found[0].text.endswith(remedy)
    logged = "".join(one.getMessage() for one in caplog.records)
    assert "5183007" not in findings.found[0].text + logged
    assert ("workflow/test_preflight.py:" in logged) == (remedy == "copy it again"), "where it was raised"


@pytest.mark.parametrize("kind", ["string", "category"])
def test_the_index_of_embeddings_may_be_of_any_kind_that_anndata_writes(spoiled, root, kind):
    values = ad.AnnData(np.ones((90, 6), np.float32), obs=pd.DataFrame(index=pd.Index(SAMPLES, dtype=kind)))
    with ad.settings.override(allow_write_nullable_strings=True):
        values.write_h5ad(spoiled.folder / "deep.h5ad")
    with h5py.File(spoiled.folder / "deep.h5ad") as file:
        assert isinstance(file["obs/_index"], h5py.Group), "not an array of strings"
    study = examine(checked(spoiled, root), Plan())
    assert not study.findings.of("error"), study.findings.of("error")
    assert list(study.samples["deep (embeddings)"]) == SAMPLES
    with h5py.File(spoiled.folder / "deep.h5ad", "a") as file:
        index = file["obs/_index"]
        index["mask" if kind == "string" else "codes"][3] = True if kind == "string" else -1
    errors = examine(spoiled.config, Plan()).findings.of("error")
    assert "1 samples have no name. Write an IID for each in obs" in errors[0].text


@pytest.mark.parametrize(("bad", "level"), [(50, "warning"), (90, "error")])
def test_volumes_are_judged_by_all_that_were_opened(spoiled, root, bad, level):
    """By their headers: more than are decoded of photographs, and only all of them are an error."""
    for number in range(90):
        header = struct.pack("<i36x8h", 348, 3, 4, 4, 1 if number < bad else 4, 1, 1, 1, 1)
        (spoiled.folder / f"{number}.nii").write_bytes(header.ljust(352, b"\0"))
    rows = [f"{iid}\t{number}.nii" for number, iid in enumerate(SAMPLES)]
    (spoiled.folder / "volumes.tsv").write_text("\n".join(["iid\tpath", *rows]) + "\n")
    spoiled.set(images={"table": "volumes.tsv", "dimensions": 3})
    reported = examine(checked(spoiled, root), Plan()).findings
    found = [one for one in reported.found if one.key == "images.table" and f"({bad} flat)" in one.text]
    assert [one.level for one in found] == [level], reported.found


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
    reported = examine(checked(spoiled, root), Plan()).findings
    found = [one for one in reported.found if one.key == "images.table" and f"({black} black)" in one.text]
    assert [one.level for one in found] == [level], reported.found
    assert f"{black} of them decoded" in " ".join(one.text for one in reported.of("fact"))


def test_values_of_a_swapped_column_are_not_printed(spoiled, root):
    def swap(lines):
        rows = [line.split("\t") for line in lines[1:]]
        return ["iid\teye\tpath", *(f"{iid}\t{iid if number > 2 else 'right'}\t{path}" for number, (iid, _, _, path)
                in enumerate(rows))]  # fmt: skip

    spoiled.lines("images.tsv", swap)
    reported = [one.text for one in examine(checked(spoiled, root), Plan()).findings.found]
    assert "90 images of 90 samples (87 with other values in the column eye, 3 right)" in reported
    assert not [text for text in reported if any(iid in text for iid in SAMPLES)]


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
        reported = examine(config, Plan()).findings
        found = [one.level for one in reported.found if one.key == "disk" and one.level != "fact"]
        assert found == [level] * bool(level), share
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda path: usage(10, 10, 1000))
    elsewhere = {one.key for one in examine(config, Plan(local=False)).findings.of("error")}
    assert elsewhere == {"disk"}, "the memory of a cluster's nodes is not this machine's"


def test_gpus_that_are_not_there(spoiled, root, monkeypatch):
    config = checked(spoiled, root)
    reported = {one.key: one.text for one in examine(config, Plan(gpus=4)).findings.of("warning")}
    assert "resources: gpu=4" in reported["gpu"]
    assert "gpu" not in {one.key for one in examine(config, Plan(gpus=1)).findings.of("warning")}
    monkeypatch.setattr(machine, "MAX_CPU_HOURS", 0)
    reported = {one.key: one.text for one in examine(config, Plan(gpus=1)).findings.of("warning")}
    assert "run on a machine or a cluster with a GPU" in reported["gpu"]


def test_samples_of_large_files_tell_the_same(spoiled, root, monkeypatch):
    """What is too large to be read whole is counted from sizes; truncation is still seen."""
    whole = examine(checked(spoiled, root), Plan())
    for module in (genotypes, burden, scores):
        monkeypatch.setattr(module, "MAX_BYTES", 0)
    part = examine(spoiled.config, Plan())
    assert not part.findings.of("error")
    for key in ("genotypes.array", "burden.genotypes"):
        assert not part.variants[key].complete
        assert part.variants[key].counts == whole.variants[key].counts
    texts = [one.text for one in part.findings.of("fact")]
    assert any("counted from sizes and headers" in one for one in texts)
    assert any("of 1 of them only the header was read" in one for one in texts)
    spoiled.edit("chr1.bed", lambda data: data[:-5])
    assert any("is truncated" in one.text for one in examine(spoiled.config, Plan()).findings.of("error"))


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("suffix", ["pgen", "bgen"])
def test_other_formats(spoiled, root, monkeypatch, suffix, whole):
    rng = np.random.default_rng(8)
    for chrom in ("1", "2"):
        path = spoiled.folder / f"imputed{chrom}.{suffix}"
        if suffix == "pgen":
            write_pgen(path, rng.binomial(2, 0.3, (90, 50)).astype(np.int8), SAMPLES, [chrom] * 50)
        else:
            write_bgen(path, rng.multinomial(255, (0.4, 0.4, 0.2), (90, 50))[..., :2], SAMPLES, [chrom] * 50)
            write_bgi(path, [*read_index(path)["start"], path.stat().st_size], [chrom] * 50)
            write_sample(path.with_suffix(".sample"), SAMPLES, ["0"] * 90)
    spoiled.set(gwas={"genotypes": f"imputed{{chrom}}.{suffix}"})
    if not whole:
        monkeypatch.setattr(genotypes, "MAX_BYTES", 0)
        monkeypatch.setattr(genotypes, "MAX_VARIANTS", 0)
    study = examine(checked(spoiled, root), Plan())
    assert not study.findings.of("error"), study.findings.of("error")
    assert study.variants["gwas.genotypes"].counts == {"1": 50, "2": 50}
    spoiled.edit(f"imputed2.{suffix}", lambda data: data[:-5])
    errors = examine(spoiled.config, Plan()).findings.of("error")
    assert [one.key for one in errors] == ["gwas.genotypes"]
    assert "truncated" in errors[0].text


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


def test_a_score_cut_short(spoiled, root):
    """A gzipped table of scores that ends early is an error of its own."""
    data = gzip.compress(b"rsID\teffect_allele\teffect_weight\n" + b"rs1\tA\t0.1\n" * 5000)
    (spoiled.folder / "PGS3.txt.gz").write_bytes(data[:-40])
    errors = examine(checked(spoiled, root), Plan()).findings.of("error")
    assert [one.key for one in errors] == ["pgs.scores"]
    assert "Download it again" in errors[0].text
