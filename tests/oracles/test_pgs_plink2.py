"""Polygenic scores against plink2 --score, on simulated and on real genotypes."""

import subprocess

import numpy as np
import pandas as pd
import pytest

from contigwas.pgs import write_pgs
from contigwas.pgs.matching import OUTCOMES
from contigwas.tables.anndata_io import read_modality
from contigwas.tables.text import read_table
from tests.modalities import EVERYTHING, quality, write_cohort, write_score
from tests.plink_files import iids, simulate, write_plink

STRAND = {"A": "T", "C": "G", "G": "C", "T": "A"}
VARIANTS, SAMPLES = 400, 300
SETTINGS = {"min_overlap": 1.0, "ambiguous": "drop", "exclude": [], "genotypes": None, "qc": {"maf": 0, "info": 0}}
PRECISION = {"rtol": 1e-5, "atol": 2e-7}  # plink2 prints six digits


@pytest.fixture(scope="module")
def plink2(oracle):
    program = oracle("plink2")

    def score(bed, folder, names, rows, *modifiers):
        """SUM over 2 x the rows (id, counted allele, weight), for `names` in their order."""
        pd.DataFrame({"fid": names, "iid": names}).to_csv(folder / "keep.txt", sep="\t", index=False, header=False)
        rows.to_csv(folder / "score.txt", sep="\t", index=False, header=False)
        command = [program, "--bfile", bed.with_suffix(""), "--keep", folder / "keep.txt", "--threads", "1"]
        command += ["--memory", "1000", "--out", folder / "plink2", "--score", folder / "score.txt", "1", "2", "3"]
        command += [*modifiers, "cols=scoresums"]
        subprocess.run(list(map(str, command)), check=True, capture_output=True)
        table = pd.read_csv(folder / "plink2.sscore", sep=r"\s+", dtype={"IID": str, "#IID": str})
        table = table.rename(columns={"#IID": "IID"}).set_index("IID").loc[names]
        return table["SCORE1_SUM"].to_numpy() / (2 * len(rows))

    return score


@pytest.fixture(scope="module", params=[0.0, 0.03], ids=["all called", "calls missing"])
def genotypes(request, tmp_path_factory):
    """400 variants on two chromosomes, ambiguous ones, places with two variants; our quality control and a cohort.

    The last 100 variants are called in everyone: plink2 fills in a missing call after an inheritance model, we before.
    """
    folder = tmp_path_factory.mktemp("pgs")
    rng = np.random.default_rng(3)
    dosages = simulate(rng, SAMPLES, VARIANTS)
    dosages[:, :300][rng.random((SAMPLES, 300)) < request.param] = -127
    pairs = np.array([("A", "G"), ("C", "T"), ("G", "A"), ("A", "C"), ("A", "T"), ("G", "C")])
    alleles = pairs[rng.choice(6, VARIANTS, p=[0.25, 0.25, 0.2, 0.2, 0.05, 0.05])]
    positions = [1000 * (number + 1) for number in range(VARIANTS)]
    for number in (20, 60, 250):
        positions[number + 1] = positions[number]
        alleles[number], alleles[number + 1] = ("A", "G"), ("A", "C")
    chroms = ["1"] * 200 + ["2"] * 200
    bed = write_plink(
        folder / "all.bed", dosages, iids(SAMPLES), chroms, bp_position=positions,
        allele_1=alleles[:, 0].tolist(), allele_2=alleles[:, 1].tolist(),
    )  # fmt: skip
    tables = quality(bed, folder, iids(SAMPLES), ["1", "2"], EVERYTHING)
    kept = [name for number, name in enumerate(iids(SAMPLES)) if number % 6]
    cohort = write_cohort(folder, iids(SAMPLES), set(iids(SAMPLES)) - set(kept))
    variants = pd.DataFrame(
        {"id": [f"rs{c}_{n}" for n, c in enumerate(chroms)], "chrom": chroms, "pos": positions,
         "a": alleles[:, 0], "b": alleles[:, 1]}
    )  # fmt: skip
    return folder, bed, tables, cohort, kept, variants


def published(rng, variants, count):
    """A score as others write it, the rows that must enter (with the allele plink2 shall count), and the outcomes."""
    picks = variants.iloc[np.sort(rng.permutation(VARIANTS)[:count])].reset_index(drop=True)
    picks["weight"] = rng.normal(size=count).round(5)
    picks.loc[rng.random(count) < 0.05, "weight"] = 0.0
    swap, flip = rng.random(count) < 0.4, rng.random(count) < 0.3
    counted = np.where(swap, picks["b"], picks["a"])
    other = np.where(swap, picks["a"], picks["b"])
    ambiguous = picks["a"].map(STRAND) == picks["b"]
    several = picks.merge(variants.groupby(["chrom", "pos"]).size().rename("n"), on=["chrom", "pos"])["n"] > 1
    twice = ~ambiguous & ~several & (rng.random(count) < 0.05)
    table = pd.DataFrame(
        {
            "rsID": picks["id"],
            "chr_name": picks["chrom"],
            "chr_position": picks["pos"].astype("Int64"),
            "effect_allele": np.where(flip, pd.Series(counted).map(STRAND), counted),
            "other_allele": np.where(flip, pd.Series(other).map(STRAND), other),
            "effect_weight": picks["weight"],
        }
    )
    by_name = ~several & (rng.random(count) < 0.2)
    table.loc[by_name, ["chr_position"]] = pd.NA
    away = pd.DataFrame({"rsID": "", "chr_name": "1", "chr_position": [999_999, 1_000_001], "effect_allele": "A",
                         "other_allele": "G", "effect_weight": 1.0})  # fmt: skip
    whole = pd.concat([table, table[twice], away], ignore_index=True).sample(frac=1, random_state=4)
    enters = (~ambiguous & ~several & ~twice).to_numpy()
    rows = pd.DataFrame({"id": picks["id"], "allele": counted, "weight": picks["weight"]})[enters]
    ways = {"matched": ~swap & ~flip, "swapped": swap & ~flip, "flipped": flip & ~swap, "flipped_swapped": flip & swap}
    # Turned over, two complementary alleles read like the ones swapped: of the rows that enter, none is such a one.
    reported = {name: int(way[enters].sum()) for name, way in ways.items()}
    reported |= {"multiallelic": int(several.sum()), "ambiguous": int((ambiguous & ~several).sum())}
    reported |= {"duplicate": 2 * int(twice.sum()), "unmatched": 2}
    return whole, rows, reported


def test_matched_scores(genotypes, plink2, tmp_path):
    folder, bed, tables, cohort, kept, variants = genotypes
    rng, files, expected, reported = np.random.default_rng(6), [], [], []
    for number, count in enumerate([400, 120, 12]):
        table, rows, counts = published(rng, variants, count)
        suffix = ".txt.gz" if number else ".txt"
        files.append(write_score(tmp_path / f"S{number}{suffix}", table, pgs_id=f"P{number}", genome_build="GRCh37"))
        expected.append(plink2(bed, tmp_path, kept, rows))
        reported.append(counts)
    settings = {**SETTINGS, "min_overlap": 0.3}
    write_pgs(files, bed, tables, cohort, settings, "GRCh37", folder / "pgs.h5ad", folder / "matching.tsv")
    data, matching = read_modality(folder / "pgs.h5ad"), read_table(folder / "matching.tsv")
    assert data.obs_names.tolist() == kept
    for number, counts in enumerate(reported):
        assert matching.loc[number, list(OUTCOMES)].to_dict() == {name: counts.get(name, 0) for name in OUTCOMES}
        np.testing.assert_allclose(data.X[:, number], expected[number], **PRECISION)
    assert (matching[list(OUTCOMES)].sum(axis=1) == matching["rows"]).all()


def test_ambiguous_kept(genotypes, plink2, tmp_path):
    folder, bed, tables, cohort, kept, variants = genotypes
    rows = variants.iloc[100:200].assign(weight=np.linspace(-1, 1, 100))
    table = rows.rename(columns={"chrom": "chr_name", "pos": "chr_position", "a": "effect_allele",
                                 "b": "other_allele", "weight": "effect_weight"})  # fmt: skip
    files = [write_score(tmp_path / "S.txt", table.drop(columns="id"))]
    settings = {**SETTINGS, "ambiguous": "keep"}
    write_pgs(files, bed, tables, cohort, settings, "GRCh37", folder / "pgs.h5ad", folder / "matching.tsv")
    expected = plink2(bed, tmp_path, kept, rows[["id", "a", "weight"]])
    np.testing.assert_allclose(read_modality(folder / "pgs.h5ad").X[:, 0], expected, **PRECISION)


@pytest.mark.parametrize("model", ["dominant", "recessive"])
@pytest.mark.parametrize("counted", ["a", "b"])
def test_models_of_inheritance(genotypes, plink2, tmp_path, model, counted):
    folder, bed, tables, cohort, kept, variants = genotypes
    rows = variants.iloc[300:].assign(weight=np.linspace(-1, 1, 100))
    rows = rows[rows["a"].map(STRAND) != rows["b"]]
    table = rows.assign(effect_allele=rows[counted], other_allele=rows["b" if counted == "a" else "a"])
    table = table.rename(columns={"chrom": "chr_name", "pos": "chr_position", "weight": "effect_weight"})
    files = [write_score(tmp_path / "S.txt", table.drop(columns=["a", "b", "id"]).assign(**{f"is_{model}": "True"}))]
    settings = SETTINGS
    write_pgs(files, bed, tables, cohort, settings, "GRCh37", folder / "pgs.h5ad", folder / "matching.tsv")
    expected = plink2(bed, tmp_path, kept, rows[["id", counted, "weight"]], model)
    np.testing.assert_allclose(read_modality(folder / "pgs.h5ad").X[:, 0], expected, **PRECISION)


def test_real_scores_on_real_genotypes(plink2, shared_data, tmp_path):
    """PGS000001 and PGS000002 on 1,092 samples; the genotypes are thinned, so only a few rows match."""
    bed = shared_data / "genotypes" / "1kg_phase1_thinned.bed"
    names = pd.read_csv(bed.with_suffix(".fam"), sep=r"\s+", header=None, dtype=str)[1].tolist()
    bim = pd.read_csv(bed.with_suffix(".bim"), sep=r"\s+", header=None, dtype={0: str})
    chroms = sorted(set(bim[0]), key=int)
    tables = quality(bed, tmp_path, names, chroms, EVERYTHING)
    files = sorted((shared_data / "pgs").glob("*_hmPOS_GRCh37.txt.gz"))
    rng = np.random.default_rng(1)
    made = bim.iloc[np.sort(rng.permutation(len(bim))[:2000])].assign(weight=rng.normal(size=2000).round(5))
    table = made.rename(columns={0: "chr_name", 3: "chr_position", 4: "effect_allele", 5: "other_allele",
                                 "weight": "effect_weight"})  # fmt: skip
    files.append(write_score(tmp_path / "made.txt", table[["chr_name", "chr_position", "effect_allele",
                                                           "other_allele", "effect_weight"]]))  # fmt: skip
    settings = {**SETTINGS, "min_overlap": 0.5, "ambiguous": "keep"}
    cohort = write_cohort(tmp_path, names)
    write_pgs(files, bed, tables, cohort, settings, "GRCh37", tmp_path / "pgs.h5ad", tmp_path / "matching.tsv")
    matching = read_table(tmp_path / "matching.tsv").set_index("score")
    assert matching.loc[["PGS000001", "PGS000002"], "rows"].tolist() == [77, 77]
    assert (matching[list(OUTCOMES)].sum(axis=1) == matching["rows"]).all()
    assert matching.loc["PGS000001", "reason"] == "no row matched"
    data = read_modality(tmp_path / "pgs.h5ad")
    assert data.var_names.tolist() == ["made"]
    expected = plink2(bed, tmp_path, names, made[[1, 4, "weight"]])
    np.testing.assert_allclose(data.X[:, 0], expected, **PRECISION)
