"""The table of scores against sums taken sample by sample, and what is reported of scores that do not fit."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contigwas.pgs import score as score_module
from contigwas.pgs import write_pgs
from contigwas.pgs.matching import OUTCOMES, Match
from contigwas.pgs.score import assemble, centre
from contigwas.runtime.errors import UserError
from contigwas.tables.anndata_io import read_modality
from contigwas.tables.text import read_table
from tests.modalities import EVERYTHING, quality, write_cohort, write_score
from tests.plink_files import iids, simulate, write_plink

NAMES = iids(50)
SETTINGS = {"min_overlap": 0.5, "ambiguous": "drop", "exclude": [], "genotypes": None, "qc": {"maf": 0, "info": 0}}


@pytest.fixture
def study(tmp_path):
    """Chromosomes 1 and 2 in a file each, 30 variants, missing calls; 5 samples excluded, others in another order."""
    rng = np.random.default_rng(8)
    dosages = simulate(rng, 50, 60, missing=0.04)
    tables = {}
    for chrom, part in (("1", dosages[:, :30]), ("2", dosages[:, 30:])):
        bed = write_plink(tmp_path / f"chr{chrom}.bed", part, NAMES, chrom)
        tables |= quality(bed, tmp_path, NAMES, [chrom], EVERYTHING)
    cohort = write_cohort(tmp_path, NAMES[::-1], NAMES[10:15])
    return tmp_path, tables, cohort, dosages[[49 - row for row in range(50) if not 10 <= 49 - row < 15]]


def random_score(rng, count):
    columns = rng.permutation(60)[:count]
    return columns, pd.DataFrame(
        {
            "chr_name": np.where(columns < 30, "1", "2"),
            "chr_position": 1000 * (columns % 30 + 1),
            "effect_allele": "A",
            "other_allele": "G",
            "effect_weight": rng.normal(size=count).round(6),
        }
    )


def run(study, scores, **changed):
    folder, tables, cohort, _ = study
    chosen = {**SETTINGS, **changed}
    output = folder / "pgs.h5ad", folder / "matching.tsv"
    write_pgs(scores, folder / "chr{chrom}.bed", tables, cohort, chosen, "GRCh37", *output)
    return read_modality(output[0]), read_table(output[1])


def slowly(dosages, columns, rows):
    """AVG sample by sample; `kind` of a row is additive, dominant, recessive or its three weights."""
    average = np.zeros(len(dosages))
    for column, row in zip(columns, rows.itertuples(), strict=True):
        calls = dosages[:, column]
        frequency = calls[calls >= 0].mean() / 2
        effect = np.where(calls < 0, 2 * frequency, calls)
        effect = 2 - effect if row.effect_allele in "GC" else effect
        if row.kind == "dominant":
            effect = np.minimum(effect, 1)
        elif row.kind == "recessive":
            effect = np.maximum(effect - 1, 0)
        if row.kind == "dosage":
            weights = [row.dosage_0_weight, row.dosage_1_weight, row.dosage_2_weight]
            average += np.interp(effect, [0, 1, 2], weights)
        else:
            average += row.effect_weight * effect
    return average / (2 * len(rows))


@pytest.mark.parametrize("dense", [0.0, 2.0])
def test_every_kind_of_row_and_product(study, dense, monkeypatch):
    monkeypatch.setattr(score_module, "DENSE", dense)
    monkeypatch.setattr(score_module, "BLOCK_BYTES", 4 * 45 * 7)
    rng, files, expected = np.random.default_rng(9), [], []
    for number, count in enumerate([60, 25, 3]):
        columns, rows = random_score(rng, count)
        rows["kind"] = np.resize(["additive", "dominant", "recessive", "dosage"], count)
        rows.loc[rows.index % 3 == 1, ["effect_allele", "other_allele"]] = ["G", "A"]
        rows.loc[rows.index % 5 == 4, ["effect_allele", "other_allele"]] = ["T", "C"]
        rows.loc[rows.index % 7 == 6, ["effect_allele", "other_allele"]] = ["C", "T"]
        rows["is_dominant"] = np.where(rows["kind"] == "dominant", "True", "")
        rows["is_recessive"] = np.where(rows["kind"] == "recessive", "True", "")
        for dosage in range(3):
            rows[f"dosage_{dosage}_weight"] = np.where(rows["kind"] == "dosage", rng.normal(size=count), np.nan)
        files.append(write_score(study[0] / f"S{number}.txt.gz", rows, pgs_id=f"S{number}", trait_reported="t"))
        expected.append(slowly(study[3], columns, rows))
    data, table = run(study, files)
    assert data.X.dtype == np.float32
    np.testing.assert_allclose(data.layers["sum"], data.X * 2 * np.array([60, 25, 3]), rtol=1e-6)
    np.testing.assert_allclose(data.X, np.column_stack(expected), rtol=2e-6, atol=1e-7)
    assert data.var_names.tolist() == ["S0", "S1", "S2"]
    assert data.var["n_matched"].tolist() == [60, 25, 3]
    assert data.var["trait"].tolist() == ["t"] * 3
    assert data.obs_names.tolist() == [name for name in NAMES[::-1] if name not in NAMES[10:15]]
    assert (table[["matched", "swapped", "flipped", "flipped_swapped"]] > 0).all(axis=1).tolist()[:2] == [True, True]
    assert (table[list(OUTCOMES)].sum(axis=1) == table["rows"]).all()


def test_a_table_of_scores_and_files_of_single_ones_together(study):
    rng = np.random.default_rng(5)
    columns, rows = random_score(rng, 40)
    rows.loc[::3, ["effect_allele", "other_allele"]] = ["G", "A"]
    table = pd.DataFrame({"CHROM": rows["chr_name"], "POS": rows["chr_position"], "ID": "."})
    table = table.assign(A1=rows["effect_allele"], A2=rows["other_allele"])
    expected, alone = {}, []
    for name in ("T1", "T2", "T3"):
        weights = rng.normal(size=40).round(6) * (rng.random(40) < 0.5)
        table[name] = weights
        expected[name] = slowly(study[3], columns, rows.assign(effect_weight=weights, kind="additive"))
    table.to_csv(study[0] / "table.tsv", sep="\t", index=False)
    for name in ("A1", "Z9"):
        columns, rows = random_score(rng, 20)
        alone.append(write_score(study[0] / f"{name}.txt", rows))
        expected[name] = slowly(study[3], columns, rows.assign(kind="additive"))
    data, report = run(study, [alone[0], study[0] / "table.tsv", alone[1]])
    assert data.var_names.tolist() == ["A1", "T1", "T2", "T3", "Z9"]
    assert report["kind"].tolist() == ["PGS Catalog", *["table"] * 3, "PGS Catalog"]
    for name in data.var_names:
        np.testing.assert_allclose(data[:, name].X[:, 0], expected[name], rtol=1e-5, atol=1e-7)


def test_threads_do_not_change_a_bit(study, monkeypatch):
    monkeypatch.setattr(score_module, "BLOCK_BYTES", 4 * 45 * 7)
    rows = random_score(np.random.default_rng(2), 50)[1]
    path = write_score(study[0] / "x.txt", rows)
    folder, tables, cohort, _ = study
    found = []
    for threads in (1, 3):
        outputs = folder / "pgs.h5ad", folder / "matching.tsv"
        write_pgs([path], folder / "chr{chrom}.bed", tables, cohort, SETTINGS, "GRCh37", *outputs, threads=threads)
        found.append(read_modality(folder / "pgs.h5ad").X)
    np.testing.assert_array_equal(*found)


def test_a_score_below_the_overlap_is_reported_and_left_out(study):
    rng = np.random.default_rng(2)
    good = random_score(rng, 10)[1]
    bad = random_score(rng, 10)[1]
    bad.loc[:5, "chr_position"] += 7
    files = [write_score(study[0] / f"{name}.txt", rows) for name, rows in (("good", good), ("bad", bad))]
    data, table = run(study, files)
    assert data.var_names.tolist() == ["good"]
    assert table["score"].tolist() == ["good", "bad"]
    assert table["overlap"].tolist() == [1, 0.4]
    assert table["kept"].tolist() == [1, 0]
    assert table["reason"].tolist() == ["", "overlap below 0.5"]
    assert table["unmatched"].tolist() == [0, 6]
    assert run(study, files, min_overlap=0.4)[0].var_names.tolist() == ["good", "bad"]


def test_zero_weights_count_and_variants_that_were_dropped_do_not_match(study):
    _folder, tables, _, dosages = study
    quality_table = pd.read_parquet(tables["1"])
    quality_table.loc[3, "kept"] = False
    quality_table.to_parquet(tables["1"])
    rows = pd.DataFrame({"chr_name": "1", "chr_position": [1000, 2000, 4000], "effect_allele": "A",
                         "other_allele": "G", "effect_weight": [2, 0, 5]})  # fmt: skip
    data, table = run(study, [write_score(study[0] / "x.txt", rows)])
    called = dosages[:, 0] >= 0
    np.testing.assert_allclose(data.X[called, 0], 2 * dosages[called, 0] / 4)
    assert table["filtered"].item() == 1


def test_excluded_scores(study, caplog):
    good = random_score(np.random.default_rng(2), 10)[1]
    one = write_score(study[0] / "one.txt", good, pgs_id="PGS7")
    leak = write_score(study[0] / "leak.txt", good.assign(is_haplotype="True"), pgs_id="PGS8")
    data, table = run(study, [one, leak], exclude=["PGS8", "PGS9"])
    assert data.var_names.tolist() == table["score"].tolist() == ["PGS7"]
    assert "pgs.exclude names scores that no file has: PGS9" in caplog.text
    with pytest.raises(UserError, match="pgs.exclude leaves no score"):
        run(study, [one], exclude=["PGS7"])


def test_who_else_is_there_matters_through_frequencies_alone(study):
    folder, tables, cohort, dosages = study
    columns, rows = random_score(np.random.default_rng(2), 20)
    path = write_score(folder / "x.txt", rows)
    everyone = run(study, [path])[0]
    some = everyone.obs_names[::3].tolist()
    write_cohort(folder, some)
    few = run((folder, tables, cohort, dosages), [path])[0]
    complete = [name for name, calls in zip(everyone.obs_names, dosages[:, columns], strict=True) if (calls >= 0).all()]
    called = [name for name in some if name in complete]
    lacking = [name for name in some if name not in complete]
    assert called
    assert lacking
    np.testing.assert_allclose(few[called].X, everyone[called].X, rtol=1e-6, atol=1e-7)
    assert (np.abs(few[lacking].X - everyone[lacking].X) > 1e-5).any()


def test_the_build_is_checked_by_shared_places(study):
    rng = np.random.default_rng(3)
    rows = random_score(rng, 40)[1]
    bim = pd.concat([pd.read_parquet(study[1][chrom]) for chrom in ("1", "2")])
    place = bim.assign(chrom=bim["chrom"].astype(str)).set_index(["chrom", "pos"])["id"]
    rows["rsID"] = [place[key] for key in zip(rows["chr_name"], rows["chr_position"], strict=True)]
    moved = rows.assign(chr_position=rows["chr_position"] + 333)
    other = write_score(study[0] / "a.txt", moved, genome_build="GRCh38")
    reported = (
        r"on GRCh38 \(#genome_build\) .* of its 40 rows 0.0% match by position on GRCh38, and 100.0% have an rsID"
    )
    with pytest.raises(UserError, match=reported):
        run(study, [other])
    # the header is wrong, or there is none: the places tell
    for header in ({"genome_build": "GRCh37"}, {}):
        with pytest.raises(UserError, match="0.0% of its 40 rows match by position on GRCh37, and 100.0% have an rsID"):
            run(study, [write_score(study[0] / "b.txt", moved, **header)])
    # the genotypes are of another build than the config says
    both = moved.assign(hm_chr=rows["chr_name"], hm_pos=rows["chr_position"]).drop(columns="rsID")
    wrong = write_score(study[0] / "c.txt", both, genome_build="GRCh37", HmPOS_build="GRCh38")
    with pytest.raises(
        UserError, match="0.0% of .* on GRCh37, and 100.0% by the positions .* GRCh38 .* correct genotypes"
    ):
        run(study, [wrong])
    # rsIDs without positions say nothing about builds
    named = rows.drop(columns=["chr_name", "chr_position"])
    assert run(study, [write_score(study[0] / "d.txt", named)])[1]["overlap"].item() == 1


def test_bad_input(study):
    good = random_score(np.random.default_rng(2), 10)[1]
    one = write_score(study[0] / "one.txt", good, pgs_id="PGS7")
    two = write_score(study[0] / "two.txt", good, pgs_id="PGS7")
    with pytest.raises(UserError, match=r"two.txt and .*one.txt are both the score PGS7"):
        run(study, [one, two])
    with pytest.raises(UserError, match="no file matches pgs.scores"):
        run(study, [])
    away = write_score(study[0] / "away.txt", good.assign(chr_position=good["chr_position"] + 7))
    with pytest.raises(UserError, match=r"none of the 1 scores .* best overlap is 0.000"):
        run(study, [away])
    with pytest.raises(UserError, match="none of the 1 scores"):
        run(study, [away], min_overlap=0.0)
    complex_rows = write_score(study[0] / "hla.txt", good.assign(is_haplotype="True"), pgs_id="PGS8")
    with pytest.raises(UserError, match="the score PGS8 has 10 rows of haplotypes"):
        run(study, [one, complex_rows])
    assert not (study[0] / "pgs.h5ad").exists()
    assert not (study[0] / "matching.tsv").exists()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 7), st.booleans(), st.floats(-3, 3)), max_size=12), st.integers(0, 1000))
def test_additive_weights_have_no_excess_and_reproduce_the_sum(rows, seed):
    outcome = np.array([code for code, _, _ in rows], dtype=np.int8)
    swapped = np.array([one for _, one, _ in rows], dtype=bool)
    weight = np.array([one for _, _, one in rows])
    variant = np.arange(len(rows))
    dosages = np.random.default_rng(seed).integers(0, 3, (len(rows), 6))
    used = outcome < 4
    effect = np.where(swapped[:, None], 2 - dosages, dosages)
    for either in (weight, weight[:, None] * [0.0, 1.0, 2.0]):
        weights = assemble([(either, Match(outcome, variant, swapped))], len(rows))
        assert weights.excess.nnz == 0
        found = (weights.constant.T @ np.ones(dosages.shape) + weights.linear.T @ dosages)[0]
        np.testing.assert_allclose(found, (weight[:, None] * effect)[used].sum(axis=0), atol=1e-12)


def test_centring():
    block = np.array([[0, -127, 2], [2, -127, -127], [1, -127, 0], [-127, -127, 2]], dtype=np.int8, order="F")
    as_dosages = np.where(block < 0, np.nan, block).astype(np.float32)
    for values in (block, as_dosages):
        dosages, mean, called = centre(values)
        np.testing.assert_allclose(mean, [1, 0, 4 / 3])
        assert called.tolist() == [3, 0, 3]
        np.testing.assert_allclose(dosages, [[-1, 1, 0, 0], [0, 0, 0, 0], [2 / 3, 0, -4 / 3, 2 / 3]], atol=1e-6)
