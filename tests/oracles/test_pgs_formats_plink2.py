"""Scores of other genotypes than the array's: dosages of .pgen and .bgen files against plink2 --score."""

import subprocess

import numpy as np
import pandas as pd
import pytest

from contigwas.pgs import write_pgs
from contigwas.runtime.errors import UserError
from contigwas.tables.anndata_io import read_modality
from contigwas.tables.text import read_table
from tests.genotype_files import write_pgen
from tests.modalities import EVERYTHING, quality, write_cohort
from tests.plink_files import iids, simulate, write_plink

NAMES = iids(200)
SETTINGS = {"min_overlap": 0.0, "ambiguous": "drop", "exclude": []}


@pytest.fixture(scope="module")
def plink2(oracle):
    program = oracle("plink2")

    def run(*arguments):
        command = [program, *arguments, "--threads", "1", "--memory", "1500"]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr

    return run


@pytest.fixture(scope="module")
def imputed(plink2, tmp_path_factory):
    """300 variants with dosages, of all qualities, as .pgen and .bgen; a .bed of the array, a table of three scores."""
    folder = tmp_path_factory.mktemp("imputed")
    rng = np.random.default_rng(41)
    calls = simulate(rng, 200, 300)
    certain = rng.random(300)[None, :]
    frequency = calls.mean(axis=0) / 2
    dosages = np.clip(certain * calls + (1 - certain) * 2 * frequency + rng.normal(0, 0.02, calls.shape), 0, 2)
    dosages = (np.round(dosages * 16384) / 16384).astype(np.float32)
    dosages[rng.random(dosages.shape) < 0.01] = np.nan
    pgen = write_pgen(folder / "imputed.pgen", dosages, NAMES, ["1"] * 300)
    plink2("--pfile", folder / "imputed", "--export", "bgen-1.2", "bits=8", "ref-first", "--out", folder / "imputed")
    array = write_plink(folder / "array.bed", calls, NAMES, "1")
    tables = quality(array, folder, NAMES, ["1"], EVERYTHING)
    table = pd.DataFrame(rng.normal(size=(300, 3)).round(5), columns=["S1", "S2", "S3"])
    counted = np.where(rng.random(300) < 0.4, "G", "A")
    table.insert(0, "ID", [f"rs1_{k}" for k in range(300)])
    table.insert(1, "A1", counted)
    table.to_csv(folder / "scores.tsv", sep="\t", index=False)
    kept = [name for number, name in enumerate(NAMES) if number % 5]
    pd.DataFrame({"#FID": kept, "IID": kept}).to_csv(folder / "keep.txt", sep="\t", index=False)
    cohort = write_cohort(folder, NAMES, set(NAMES) - set(kept))
    return folder, {"pgen": pgen, "bgen": folder / "imputed.bgen"}, array, tables, cohort, kept, dosages


def run(imputed, kind, tmp_path, **qc):
    folder, files, _, tables, cohort, _, _ = imputed
    settings = {**SETTINGS, "genotypes": str(files[kind]), "qc": {"maf": 0.0, "info": 0.0, **qc}}
    output = tmp_path / "pgs.h5ad", tmp_path / "matching.tsv"
    write_pgs([folder / "scores.tsv"], str(files[kind]), tables, cohort, settings, "GRCh37", *output, threads=2)
    return read_modality(output[0]), read_table(output[1])


@pytest.mark.parametrize("kind", ["pgen", "bgen"])
def test_dosages(imputed, plink2, tmp_path, kind):
    folder, _, _, _, _, kept, _ = imputed
    source = ["--pfile", folder / "imputed"]
    if kind == "bgen":
        source = ["--bgen", folder / "imputed.bgen", "ref-first", "--sample", folder / "imputed.sample"]
    score = [
        "--score",
        folder / "scores.tsv",
        1,
        2,
        "header-read",
        "cols=scoresums,scoreavgs",
        "--score-col-nums",
        "3-5",
    ]
    plink2(*source, "--keep", folder / "keep.txt", *score, "--out", tmp_path / "theirs")
    theirs = pd.read_csv(tmp_path / "theirs.sscore", sep="\t", dtype={"IID": str, "#IID": str})
    theirs = theirs.rename(columns={"#IID": "IID"}).set_index("IID").loc[kept]
    data, matching = run(imputed, kind, tmp_path)
    assert data.obs_names.tolist() == kept
    assert (matching["matched"] + matching["swapped"] == 300).all()
    # a .bgen holds shares of 255, which plink2 rounds to shares of 16,384 on reading
    rounding = 2e-5 if kind == "pgen" else 4 * np.sqrt(300) / 2**15
    for name in ("S1", "S2", "S3"):
        column = data.var_names.get_loc(name)
        np.testing.assert_allclose(data.layers["sum"][:, column], theirs[f"{name}_SUM"], rtol=1e-5, atol=rounding)
        np.testing.assert_allclose(data.X[:, column], theirs[f"{name}_AVG"], rtol=1e-5, atol=rounding / 100)


def test_variants_of_low_quality_are_taken_out_and_counted(imputed, plink2, tmp_path):
    folder, _, _, _, _, kept, dosages = imputed
    mine = dosages[[NAMES.index(name) for name in kept]].astype(float)
    p = np.nanmean(mine, axis=0) / 2
    poor = (np.nanvar(mine, axis=0) / (2 * p * (1 - p)) < 0.4) | (np.minimum(p, 1 - p) < 0.1)
    assert 30 < poor.sum() < 250
    data, matching = run(imputed, "pgen", tmp_path, info=0.4, maf=0.1)
    assert matching["filtered"].tolist() == [poor.sum()] * 3
    assert matching["overlap"].tolist() == pytest.approx([1 - poor.mean()] * 3)
    table = pd.read_csv(folder / "scores.tsv", sep="\t")
    filled = np.where(np.isnan(mine), 2 * p, mine)
    effect = np.where(table["A1"] == "A", filled, 2 - filled)[:, ~poor]
    expected = effect @ table[["S1", "S2", "S3"]].to_numpy()[~poor] / (2 * (~poor).sum())
    np.testing.assert_allclose(data.X, expected, rtol=1e-5, atol=1e-6)


def test_samples_who_are_elsewhere_have_no_score(imputed, tmp_path):
    folder, _, _, tables, _, kept, dosages = imputed
    fewer = write_pgen(tmp_path / "few.pgen", dosages[40:], NAMES[40:], ["1"] * 300)
    settings = {**SETTINGS, "genotypes": str(fewer), "qc": {"maf": 0.0, "info": 0.0}}
    cohort = write_cohort(folder, NAMES, set(NAMES) - set(kept))
    output = tmp_path / "pgs.h5ad", tmp_path / "matching.tsv"
    write_pgs([folder / "scores.tsv"], str(fewer), tables, cohort, settings, "GRCh37", *output)
    assert read_modality(output[0]).obs_names.tolist() == [name for name in kept if name in NAMES[40:]]
    others = write_pgen(tmp_path / "others.pgen", dosages, [f"X{name}" for name in NAMES], ["1"] * 300)
    with pytest.raises(UserError, match="no sample is in both the cohort"):
        write_pgs([folder / "scores.tsv"], str(others), tables, cohort, settings, "GRCh37", *output)


def test_rows_at_records_of_several_alleles(plink2, tmp_path):
    names, rng = iids(30), np.random.default_rng(2)
    lines = ["##fileformat=VCFv4.2", '##FORMAT=<ID=GT,Number=1,Type=String,Description="g">', "##contig=<ID=1>"]
    lines.append("\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *names]))
    for place, alternate in ((1000, "A"), (2000, "A,C"), (3000, "A")):
        calls = [f"{rng.integers(2)}/{rng.integers(2)}" for _ in names]
        lines.append("\t".join(["1", str(place), f"rs{place}", "G", alternate, ".", ".", ".", "GT", *calls]))
    (tmp_path / "m.vcf").write_text("\n".join(lines) + "\n")
    plink2("--vcf", tmp_path / "m.vcf", "--make-pgen", "--out", tmp_path / "m")
    tables = quality(tmp_path / "m.pgen", tmp_path, names, ["1"], EVERYTHING)
    rows = ["ID\tA1\tS", "1:1000:G:A\tA\t1", "1:2000:G:A\tA\t1", "1:2000:G:C\tC\t1", "1:3000:G:A\tA\t1"]
    (tmp_path / "s.tsv").write_text("\n".join(rows) + "\n")
    output = tmp_path / "pgs.h5ad", tmp_path / "matching.tsv"
    settings = {**SETTINGS, "genotypes": None}
    cohort = write_cohort(tmp_path, names)
    write_pgs([tmp_path / "s.tsv"], tmp_path / "m.pgen", tables, cohort, settings, "GRCh37", *output)
    matching = read_table(output[1])
    assert matching[["matched", "multiallelic", "unmatched"]].to_numpy().tolist() == [[2, 2, 0]]
