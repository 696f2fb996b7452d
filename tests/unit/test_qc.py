"""Quality control of variants and samples against counts made one by one."""

import logging

import numpy as np
import pandas as pd
import pytest

from contigwas.genotypes.hwe import hwe_exact
from contigwas.genotypes.qc import variant_qc
from contigwas.genotypes.samples import read_passing_iids, samples_qc
from contigwas.runtime.atomic_files import write_tsv
from contigwas.runtime.errors import UserError
from contigwas.tables.text import read_table
from tests.plink_files import iids, simulate, write_plink, write_samples

SETTINGS = {"call_rate": 0.9, "maf": 0.05, "hwe": 1e-4, "hwe_midp": False, "info": 0.0, "sample_call_rate": 0.8}
SETTINGS |= {"heterozygosity": None, "sex_check": "report", "max_female_xf": 0.2, "min_male_xf": 0.8}


@pytest.fixture
def cohort(tmp_path):
    """Variants 0-3 fail one check each, 20 repeats an id, 21 a place; the last of 120 samples lacks most calls."""
    rng = np.random.default_rng(5)
    dosages = simulate(rng, 120, 40)
    dosages[:20, 0] = -127
    dosages[:, 1] = 0
    dosages[:3, 1] = 1
    dosages[:, 2] = np.where(rng.random(120) < 0.5, 0, 2)
    dosages[:, 3] = -127
    dosages[119, 8:] = -127
    ids = [f"rs{number}" for number in range(40)]
    ids[10] = ids[11] = "."
    ids[20] = "rs4"
    positions = [1000 + number for number in range(40)]
    positions[21] = positions[5]
    effect, other = ["A"] * 40, ["G"] * 40
    effect[21], other[21] = "G", "A"
    variants = {"sid": ids, "bp_position": positions, "allele_1": effect, "allele_2": other}
    write_plink(tmp_path / "chr1.bed", dosages, iids(120), **variants)
    write_samples(tmp_path, iids(120))
    return tmp_path, dosages


def check(folder, chrom=1, settings=SETTINGS):
    variants, missing = folder / f"variants{chrom}.parquet", folder / f"missing{chrom}.parquet"
    variant_qc(folder / "chr{chrom}.bed", chrom, folder / "candidates.tsv", settings, "GRCh37", variants, missing)
    return pd.read_parquet(variants), pd.read_parquet(missing)


def test_every_variant_has_a_row_and_a_reason(cohort, caplog):
    folder, dosages = cohort
    with caplog.at_level(logging.INFO):
        table, _ = check(folder)
    assert table["index"].tolist() == list(range(40))
    reasons = dict(table.loc[table["reason"] != "", "reason"].items())
    assert reasons == {0: "call rate", 1: "maf", 2: "hwe", 3: "call rate", 20: "duplicate", 21: "duplicate"}
    assert (table["kept"] == (table["reason"] == "")).all()
    assert "34 of 40 variants kept; dropped: 2 call rate, 2 duplicate, 1 hwe, 1 maf" in caplog.text
    for number in (0, 7, 30):
        calls = dosages[:, number][dosages[:, number] >= 0].astype(int)
        assert table["call_rate"][number] == pytest.approx(len(calls) / 120)
        assert table["af"][number] == pytest.approx(calls.mean() / 2)
        counts = [int((calls == dosage).sum()) for dosage in (1, 0, 2)]
        assert table["hwe_p"][number] == pytest.approx(float(hwe_exact(*counts)))
    assert np.isnan(table["af"][3])
    assert table["chrom"].unique().tolist() == ["1"]


def test_samples(cohort):
    folder, dosages = cohort
    table, missing = check(folder)
    kept = dosages[:, table["kept"].to_numpy()]
    assert missing["iid"].tolist() == iids(120)
    assert missing["called"].tolist() == [int((row >= 0).sum()) for row in kept]
    assert missing["hets"].tolist() == [int((row == 1).sum()) for row in kept]
    assert missing["variants"].unique().tolist() == [34]

    samples_qc([folder / "missing1.parquet"], SETTINGS, folder / "samples.parquet")
    samples = pd.read_parquet(folder / "samples.parquet").set_index("iid")
    assert samples["reason"].to_dict() == {iid: "call rate" if iid == iids(120)[119] else "" for iid in iids(120)}
    assert samples["call_rate"].iloc[119] == pytest.approx((kept[119] >= 0).mean())
    assert samples["heterozygosity"].iloc[0] == pytest.approx((kept[0] == 1).mean())
    assert read_passing_iids(folder / "samples.parquet").tolist() == iids(119)


def test_only_candidates_in_the_genotypes_and_in_keep_count(cohort):
    folder, dosages = cohort
    names = iids(120)
    table = pd.DataFrame({"fid": names, "iid": names, "sex": 0, "genotypes": 1, "keep": 0})
    table.loc[60:, "keep"] = 1
    table = pd.concat([table.iloc[::-1], pd.DataFrame([["9", "9", 0, 0, 1]], columns=table.columns)])
    write_tsv(table, folder / "candidates.tsv")
    variants, missing = check(folder)
    assert missing["iid"].tolist() == names[:59:-1]
    assert variants["af"][7] == pytest.approx(dosages[60:, 7].astype(float).mean() / 2)


def test_chromosomes_add_up_whatever_the_order_of_samples(cohort):
    folder, dosages = cohort
    check(folder)
    order = np.random.default_rng(2).permutation(120)
    write_plink(folder / "chr2.bed", dosages[order], [iids(120)[one] for one in order], 2)
    two, second = check(folder, 2)
    assert second["iid"].tolist() == iids(120)
    samples_qc([folder / "missing1.parquet", folder / "missing2.parquet"], SETTINGS, folder / "samples.parquet")
    one = pd.read_parquet(folder / "variants1.parquet")
    both = np.hstack([dosages[:, one["kept"].to_numpy()], dosages[:, two["kept"].to_numpy()]])
    samples = pd.read_parquet(folder / "samples.parquet")
    np.testing.assert_allclose(samples["call_rate"], (both >= 0).mean(axis=1))


def test_no_variant_left(cohort):
    folder, _ = cohort
    check(folder, settings={**SETTINGS, "maf": 0.5})
    with pytest.raises(UserError, match=r"none of the 40 variants .* 2 call rate, 2 duplicate, .* maf\): relax"):
        samples_qc([folder / "missing1.parquet"], SETTINGS, folder / "samples.parquet")


def test_no_sample_left(cohort):
    folder, _ = cohort
    check(folder)
    with pytest.raises(UserError, match=r"none of the 120 samples .* best call rate is 1\.000"):
        samples_qc([folder / "missing1.parquet"], {**SETTINGS, "sample_call_rate": 1.1}, folder / "samples.parquet")


def test_candidates_that_the_genotypes_do_not_know(cohort):
    folder, _ = cohort
    candidates = read_table(folder / "candidates.tsv")
    write_tsv(candidates.assign(iid="HG" + candidates["iid"]), folder / "candidates.tsv")
    with pytest.raises(UserError, match=r"no sample is in both .*HG and 7 digits.*\(120 samples, IDs of 7 digits\)"):
        check(folder)
    candidates.loc[3, "iid"] = "HG1"
    write_tsv(candidates, folder / "candidates.tsv")
    with pytest.raises(UserError, match="lacks 1 of the 120 samples"):
        check(folder)


def test_haploid_chromosomes_are_refused(cohort):
    folder, _ = cohort
    with pytest.raises(UserError, match="chromosome Y is haploid"):
        check(folder, "Y")


@pytest.fixture
def x_chromosome(tmp_path):
    """200 samples, every third male, every tenth of unknown sex; 4 of 30 variants are pseudo-autosomal."""
    rng = np.random.default_rng(6)
    sexes = np.where(np.arange(200) % 10 == 9, 0, np.where(np.arange(200) % 3 == 0, 1, 2))
    dosages = simulate(rng, 200, 30, missing=0.03)
    dosages[np.ix_(sexes == 1, range(4, 28))] = 2 * (dosages[np.ix_(sexes == 1, range(4, 28))] > 0)
    dosages[sexes == 1, 6] = 1
    dosages[sexes == 2, 7] = np.where(rng.random((sexes == 2).sum()) < 0.5, 0, 2)
    positions = [*range(1000, 1004), *range(3_000_000, 3_000_024), 155_000_000, 155_000_001]
    write_plink(tmp_path / "chrX.bed", dosages, iids(200), "23", sex=sexes.tolist(), bp_position=positions)
    names = iids(200)
    table = pd.DataFrame({"fid": names, "iid": names, "sex": sexes, "genotypes": 1})
    write_tsv(table, tmp_path / "candidates.tsv")
    return tmp_path, dosages, sexes


def test_x_is_counted_as_each_sex_has_it(x_chromosome, caplog):
    folder, dosages, sexes = x_chromosome
    with caplog.at_level(logging.INFO):
        table, _ = check(folder, "X", {**SETTINGS, "call_rate": 0.8, "maf": 0.0, "hwe": 1e-6})
    males = (sexes == 1).sum()
    assert "24 variants outside the pseudo-autosomal regions" in caplog.text
    assert f"{males} males, {(sexes == 2).sum()} females, 20 samples of unknown sex" in caplog.text
    assert f"{males} heterozygous calls of males became missing" in caplog.text
    reasons = dict(table.loc[table["reason"] != "", "reason"].items())
    assert reasons == {6: "call rate", 7: "hwe"}
    for number in range(30):
        calls = dosages[:, number].astype(int)
        linked = 4 <= number < 28
        if linked:
            calls[(sexes == 0) | ((sexes == 1) & (calls == 1))] = -127
        copies = np.where(linked & (sexes == 1), 1, 2)[calls >= 0]
        tested = calls[sexes != 1] if linked else calls
        assert table["call_rate"][number] == pytest.approx((calls >= 0).sum() / (180 if linked else 200))
        assert table["af"][number] == pytest.approx((calls[calls >= 0] / 2 * copies).sum() / copies.sum())
        expected = float(hwe_exact(*(int((tested == dosage).sum()) for dosage in (1, 0, 2))))
        assert table["hwe_p"][number] == pytest.approx(expected)


def test_x_without_any_sex_is_refused(x_chromosome):
    folder, _, _ = x_chromosome
    candidates = read_table(folder / "candidates.tsv")
    write_tsv(candidates.assign(sex=0), folder / "candidates.tsv")
    with pytest.raises(UserError, match="chromosome X cannot be analysed, because the genotypes tell nobody's sex"):
        check(folder, "X")
