"""Who is explained and who is the reference."""

import numpy as np
import pandas as pd
import pytest
from pretraining import RECIPE, write_study

from contigwas.explain.feature_names import describe
from contigwas.explain.selection import candidates, draw, partner, read_values, who_has
from contigwas.images.table import first_images
from contigwas.pretrain.roles import split
from contigwas.runtime.errors import UserError
from contigwas.tables.anndata_io import write_modality

SAMPLES = pd.Index([f"{number}" for number in range(1000001, 1000061)])
PRESENT = {"snps": np.ones(60, dtype=bool), "pgs": np.arange(60) % 4 != 0}


def test_the_two_sets_share_nobody_and_have_the_modality():
    drawn = draw(SAMPLES, PRESENT, reference=20, explained=15, seed=1, fold=0)
    assert len(drawn.chosen) == 15 and all(len(one) == 20 for one in drawn.reference.values())
    assert not {one for those in drawn.reference.values() for one in those} & set(drawn.chosen)
    lacking = set(SAMPLES[::4])
    assert not lacking & {*drawn.reference["pgs"], *drawn.explained["pgs"]}
    assert set(drawn.explained["snps"]) == set(drawn.chosen)
    assert set(drawn.explained["pgs"]) == set(drawn.chosen) - lacking


def test_fewer_samples_than_asked_for_are_told(caplog):
    assert len(draw(SAMPLES, PRESENT, reference=20, explained=15, seed=1, fold=2).chosen) == 15 and not caplog.text
    left = len(draw(SAMPLES, PRESENT, reference=40, explained=30, seed=1, fold=2).chosen)
    assert left < 20
    assert f"fold 2: {left} samples are left beside the reference, fewer than the 30" in caplog.text


def test_nobody_else_moves_when_one_sample_leaves():
    whole = draw(SAMPLES, PRESENT, 20, 15, seed=1, fold=0)
    gone = whole.chosen[3]
    stay = ~SAMPLES.isin([gone])
    fewer = draw(SAMPLES[stay], {name: has[stay] for name, has in PRESENT.items()}, 20, 15, seed=1, fold=0)
    assert fewer.reference == whole.reference
    assert fewer.chosen[:14] == [one for one in whole.chosen if one != gone]


def test_only_those_compared_with_somebody_who_leaves_get_another_partner():
    samples, reference = [f"{number}" for number in range(200)], [f"r{number}" for number in range(20)]
    fewer = reference[:7] + reference[8:]
    before = [reference[partner(one, reference, seed=1)] for one in samples]
    after = [fewer[partner(one, fewer, seed=1)] for one in samples]
    assert len(set(before)) == 20
    for one, other in zip(before, after, strict=True):
        assert (one == other) == (one != "r7")


def test_a_seed_and_the_order_of_the_cohort():
    one = draw(SAMPLES, PRESENT, 20, 15, seed=1, fold=0)
    order = np.random.default_rng(0).permutation(60)
    assert draw(SAMPLES[order], {name: has[order] for name, has in PRESENT.items()}, 20, 15, seed=1, fold=0) == one
    assert draw(SAMPLES, PRESENT, 20, 15, seed=2, fold=0).chosen != one.chosen


@pytest.mark.parametrize(
    ("reference", "sentence"),
    [
        (50, "explain.reference is 50, but of the samples that the network of fold 2 .* only 45 have an image and pgs"),
        (45, "explain.reference is 45, which leaves nobody with pgs to explain"),
    ],
)
def test_a_reference_larger_than_the_samples_there_are(reference, sentence):
    with pytest.raises(UserError, match=sentence):
        draw(SAMPLES, PRESENT, reference, 10, seed=1, fold=2)


def test_candidates_are_held_out_else_validate(tmp_path):
    files = write_study(tmp_path, 90)
    cohort = pd.read_csv(files["cohort"], sep="\t", dtype={"iid": str}, keep_default_na=False)
    images = first_images(files["images_table"])
    assert images["iid"].is_unique
    for recipe, role in ((RECIPE, "heldout"), (RECIPE | {"folds": 1, "modalities": []}, "validation")):
        kept = cohort[(cohort["exclusion"] == "") & cohort["iid"].isin(images["iid"])]
        roles = split(kept["family"].tolist(), recipe, 1)
        state = {"settings": recipe, "fold": 1, "roles": {}}
        found = candidates(state, files["cohort"], images)
        assert set(found) == set(kept.loc[roles == role, "iid"]) and len(found)


def test_a_network_that_trained_on_everyone_has_nobody_to_explain(tmp_path):
    files = write_study(tmp_path)
    state = {"settings": RECIPE | {"folds": 1, "modalities": [], "validation": 0.0}, "fold": 0, "roles": {}}
    with pytest.raises(UserError, match="trained on everyone with an image, so nobody can explain it"):
        candidates(state, files["cohort"], first_images(files["images_table"]))


def test_who_has_a_modality_and_their_rows(tmp_path):
    values = np.arange(12, dtype=np.float32).reshape(4, 3)
    values[1] = np.nan
    values[2, 0] = np.nan
    path = tmp_path / "scores.h5ad"
    write_modality(path, values, pd.Index(["d", "b", "a", "c"]), pd.DataFrame(index=["x", "y", "z"]), {})
    samples = pd.Index(["a", "b", "c", "nobody", "d"])
    assert who_has(path, samples, None).tolist() == [True, False, True, False, True]
    pcs = pd.DataFrame({"PC1": [0.1, np.nan]}, index=["a", "c"])
    assert who_has(path, samples, pcs).tolist() == [True, False, False, False, False]
    np.testing.assert_array_equal(read_values(path, ["c", "d", "a"]).numpy(), values[[3, 0, 2]])


def test_a_file_that_is_no_modality_is_told(tmp_path):
    (tmp_path / "odd.h5ad").write_text("odd")
    with pytest.raises(UserError, match="is not an AnnData"):
        who_has(tmp_path / "odd.h5ad", SAMPLES, None)


@pytest.mark.parametrize(
    ("chrom", "expected"),
    [
        ([1, 22, 23], ["1", "22", "X"]),
        ([1.0, np.nan, 23.0], ["1", "", "X"]),
        (pd.Categorical([1.0, np.nan, 23.0]), ["1", "", "X"]),
        (["chr1", "", "X"], ["1", "", "X"]),
        (pd.Categorical(["01", None, "chrX"]), ["1", "", "X"]),
        (pd.array([1, None, 23], dtype="Int64"), ["1", "", "X"]),
    ],
)
def test_places_of_features_whatever_chromosomes_are_written_as(chrom, expected, tmp_path):
    """A column of whole numbers with a gap is one of floats."""
    features = pd.DataFrame({"chrom": chrom, "pos": [5, 6, 7]}, index=["a", "b", "c"])
    write_modality(tmp_path / "m.h5ad", np.zeros((2, 3)), pd.Index(["x", "y"]), features, {})
    found = describe(tmp_path / "m.h5ad")
    assert found["chrom"].tolist() == expected
    assert found["pos"].tolist() == [one and place for one, place in zip(map(bool, expected), [5, 6, 7], strict=True)]
