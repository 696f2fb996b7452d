"""Selection of the explained samples and of the reference."""

import numpy as np
import pandas as pd
import pytest
from pretraining import RECIPE, write_study

from contigwas.explain.feature_names import describe
from contigwas.explain.selection import candidates, has_modality, partner, read_values, select
from contigwas.images.table import first_images
from contigwas.pretrain.roles import split
from contigwas.runtime.errors import UserError
from contigwas.tables.anndata_io import write_modality

SAMPLES = pd.Index([f"{number}" for number in range(1000001, 1000061)])
PRESENT = {"snps": np.ones(60, dtype=bool), "pgs": np.arange(60) % 4 != 0}


def test_the_two_sets_are_disjoint_and_have_the_modality():
    selected = select(SAMPLES, PRESENT, reference=20, explained=15, seed=1, fold=0)
    assert len(selected.chosen) == 15 and all(len(one) == 20 for one in selected.reference.values())
    assert not {one for those in selected.reference.values() for one in those} & set(selected.chosen)
    missing = set(SAMPLES[::4])
    assert not missing & {*selected.reference["pgs"], *selected.explained["pgs"]}
    assert set(selected.explained["snps"]) == set(selected.chosen)
    assert set(selected.explained["pgs"]) == set(selected.chosen) - missing


def test_fewer_samples_than_requested_are_reported(caplog):
    assert len(select(SAMPLES, PRESENT, reference=20, explained=15, seed=1, fold=2).chosen) == 15 and not caplog.text
    left = len(select(SAMPLES, PRESENT, reference=40, explained=30, seed=1, fold=2).chosen)
    assert left < 20
    assert f"fold 2: the reference leaves {left} samples, fewer than the 30" in caplog.text


def test_removing_one_sample_does_not_change_the_role_of_others():
    whole = select(SAMPLES, PRESENT, 20, 15, seed=1, fold=0)
    removed = whole.chosen[3]
    stay = ~SAMPLES.isin([removed])
    fewer = select(SAMPLES[stay], {name: has[stay] for name, has in PRESENT.items()}, 20, 15, seed=1, fold=0)
    assert fewer.reference == whole.reference
    assert fewer.chosen[:14] == [one for one in whole.chosen if one != removed]


def test_only_samples_whose_partner_is_removed_get_another_partner():
    samples, reference = [f"{number}" for number in range(200)], [f"r{number}" for number in range(20)]
    fewer = reference[:7] + reference[8:]
    before = [reference[partner(one, reference, seed=1)] for one in samples]
    after = [fewer[partner(one, fewer, seed=1)] for one in samples]
    assert len(set(before)) == 20
    for one, other in zip(before, after, strict=True):
        assert (one == other) == (one != "r7")


def test_a_seed_and_the_order_of_the_cohort():
    one = select(SAMPLES, PRESENT, 20, 15, seed=1, fold=0)
    order = np.random.default_rng(0).permutation(60)
    assert select(SAMPLES[order], {name: has[order] for name, has in PRESENT.items()}, 20, 15, seed=1, fold=0) == one
    assert select(SAMPLES, PRESENT, 20, 15, seed=2, fold=0).chosen != one.chosen


@pytest.mark.parametrize(
    ("reference", "sentence"),
    [
        (50, "explain.reference is 50, but of the samples that the network of fold 2 .* only 45 have an image and pgs"),
        (45, "explain.reference is 45, which leaves no sample with pgs to explain"),
    ],
)
def test_a_reference_larger_than_the_number_of_samples(reference, sentence):
    with pytest.raises(UserError, match=sentence):
        select(SAMPLES, PRESENT, reference, 10, seed=1, fold=2)


def test_candidates_are_held_out_or_validation_samples(tmp_path):
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


def test_a_network_trained_on_all_samples_cannot_be_explained(tmp_path):
    files = write_study(tmp_path)
    state = {"settings": RECIPE | {"folds": 1, "modalities": [], "validation": 0.0}, "fold": 0, "roles": {}}
    with pytest.raises(UserError, match="trained on all samples with an image, so none is left to explain"):
        candidates(state, files["cohort"], first_images(files["images_table"]))


def test_samples_with_a_modality_and_their_values(tmp_path):
    values = np.arange(12, dtype=np.float32).reshape(4, 3)
    values[1] = np.nan
    values[2, 0] = np.nan
    path = tmp_path / "scores.h5ad"
    write_modality(path, values, pd.Index(["d", "b", "a", "c"]), pd.DataFrame(index=["x", "y", "z"]), {})
    samples = pd.Index(["a", "b", "c", "absent", "d"])
    assert has_modality(path, samples, None).tolist() == [True, False, True, False, True]
    pcs = pd.DataFrame({"PC1": [0.1, np.nan]}, index=["a", "c"])
    assert has_modality(path, samples, pcs).tolist() == [True, False, False, False, False]
    np.testing.assert_array_equal(read_values(path, ["c", "d", "a"]).numpy(), values[[3, 0, 2]])


def test_a_file_that_is_not_a_modality_is_an_error(tmp_path):
    (tmp_path / "odd.h5ad").write_text("odd")
    with pytest.raises(UserError, match="is not an AnnData"):
        has_modality(tmp_path / "odd.h5ad", SAMPLES, None)


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
def test_positions_of_features_with_any_notation_of_chromosomes(chrom, expected, tmp_path):
    """A column of integers with a missing value has the dtype float."""
    features = pd.DataFrame({"chrom": chrom, "pos": [5, 6, 7]}, index=["a", "b", "c"])
    write_modality(tmp_path / "m.h5ad", np.zeros((2, 3)), pd.Index(["x", "y"]), features, {})
    found = describe(tmp_path / "m.h5ad")
    assert found["chrom"].tolist() == expected
    assert found["pos"].tolist() == [one and place for one, place in zip(map(bool, expected), [5, 6, 7], strict=True)]
