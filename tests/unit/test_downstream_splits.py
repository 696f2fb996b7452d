"""Who is tested: never anybody whom the network was pretrained on where it holds samples out, never half a family."""

import numpy as np
import pandas as pd
import pytest

from contigwas.downstream.splits import networks, splits, subset
from contigwas.pretrain.roles import HELDOUT, ROLES, split
from contigwas.runtime.errors import UserError
from contigwas.samples.folds import stable_hash


def cohort(samples=90):
    iids = [f"{1000 + number}" for number in range(samples)]
    return pd.DataFrame({"iid": iids, "family": [f"f{number // 2}" for number in range(samples)]})


def states(samples, folds, modalities=("snps",)):
    settings = {"folds": folds, "seed": 5, "validation": 0.1, "heldout": 0.3, "modalities": list(modalities)}
    found = []
    for fold in range(folds):
        roles = split(samples["family"].tolist(), settings, fold)
        hashes = {one: samples.loc[roles == one, "iid"].map(stable_hash).tolist() for one in ROLES}
        found.append({"settings": settings, "fold": fold, "roles": hashes})
    return found


def no_family_is_divided(samples, found):
    for one in found:
        assert not set(samples["family"].iloc[one.train]) & set(samples["family"].iloc[one.test])
        assert not set(one.train) & set(one.test)


def test_of_a_cross_fitted_model_everyone_is_tested_by_the_network_that_held_them_out():
    samples = cohort()
    every = states(samples, 3)
    found = splits(samples, every, "t.tsv", True, 5, 1)
    assert sorted(np.concatenate([one.test for one in found])) == list(range(90))
    assert [one.network for one in found] == [0, 1, 2]
    for one, state in zip(found, every, strict=True):
        assert set(samples["iid"].iloc[one.test].map(stable_hash)) == set(state["roles"][HELDOUT])
        assert one.seen == 0
    no_family_is_divided(samples, found)
    assert list(networks(True, 3)) == [0, 1, 2]
    assert list(networks(False, 3)) == list(networks(True, 1)) == [0]


def test_of_one_network_the_held_out_samples_are_tested():
    samples = cohort()
    every = states(samples, 1)
    (one,) = splits(samples, every, "t.tsv", True, 5, 1)
    assert set(samples["iid"].iloc[one.test].map(stable_hash)) == set(every[0]["roles"][HELDOUT])
    assert len(one.train) + len(one.test) == 90


def test_of_a_network_that_saw_everyone_the_images_seen_are_counted():
    samples = cohort()
    every = states(samples, 1, modalities=())
    found = splits(samples, every, "t.tsv", True, 4, 1)
    assert len(found) == 4
    assert sorted(np.concatenate([one.test for one in found])) == list(range(90))
    trained = set(every[0]["roles"]["train"])
    for one in found:
        assert one.seen == sum(stable_hash(iid) in trained for iid in samples["iid"].iloc[one.test]) > 0
    no_family_is_divided(samples, found)


def test_a_new_sample_has_the_role_of_the_family():
    samples = cohort()
    every = states(samples.iloc[::2], 3)
    found = splits(samples, every, "t.tsv", True, 5, 1)
    no_family_is_divided(samples, found)


def test_strangers_are_divided_by_hash():
    outside = pd.DataFrame({"iid": [f"x{number}" for number in range(40)]})
    outside["family"] = outside["iid"]
    found = splits(outside, states(cohort(), 1), "t.tsv", False, 5, 1)
    assert len(found) == 5
    assert {one.seen for one in found} == {0}
    shuffled = outside.sample(frac=1, random_state=1).reset_index(drop=True)
    again = splits(shuffled, states(cohort(), 1), "t.tsv", False, 5, 1)
    for one, other in zip(found, again, strict=True):
        assert set(outside["iid"].iloc[one.test]) == set(shuffled["iid"].iloc[other.test])


def test_who_may_not_be_tested_only_trains():
    samples = cohort()
    tested = np.arange(90) % 5 > 0
    trained = np.arange(90) % 5 == 0
    found = splits(samples, [], "t.tsv", True, 4, 1, tested, trained)
    assert sorted(np.concatenate([one.test for one in found])) == np.flatnonzero(tested).tolist()
    assert set(np.flatnonzero(~tested)) <= set(np.concatenate([one.train for one in found]))
    assert {one.seen for one in found} == {0}
    assert {one.seen for one in splits(samples, [], "t.tsv", True, 4, 1)} == {None}
    no_family_is_divided(samples, found)
    with pytest.raises(UserError, match="has 3 samples .* who may be tested .*, fewer than the 4 folds"):
        splits(samples, [], "t.tsv", True, 4, 1, np.arange(90) < 3)
    with pytest.raises(UserError, match="leave fold . of 4 with nobody"):
        splits(samples, [], "t.tsv", True, 4, 1, samples["family"].isin(["f0", "f1"]).to_numpy())


@pytest.mark.parametrize(
    ("samples", "in_cohort", "folds", "said"),
    [
        (cohort(), False, 5, "write true"),
        (cohort(4).assign(iid=["a", "b", "c", "d"], family=["a", "b", "c", "d"]), False, 5, "fewer than the 5 folds"),
        (cohort(6).assign(iid=list("abcdef"), family=list("abcdef")), False, 6, "lower folds"),
        (cohort(2), True, 5, "label more samples"),
    ],
)
def test_samples_who_cannot_be_divided(samples, in_cohort, folds, said):
    with pytest.raises(UserError, match=said):
        splits(samples, states(cohort(), 3), "t.tsv", in_cohort, folds, 1)


def test_nobody_of_the_table_is_held_out():
    samples, every = cohort(), states(cohort(), 1)
    trained = samples[~samples["iid"].map(stable_hash).isin(every[0]["roles"][HELDOUT])].reset_index(drop=True)
    with pytest.raises(UserError, match="is held out from the network"):
        splits(trained, every, "t.tsv", True, 5, 1)


def test_a_smaller_share_lies_in_a_larger_one():
    iids = [f"p{number}" for number in range(50)]
    small, large, whole = (set(subset(iids, share, "7:0")) for share in (0.1, 0.4, 1.0))
    assert small < large < whole == set(range(50))
    assert (len(small), len(large)) == (5, 20)
    assert set(subset(iids, 0.1, "7:1")) != small
    assert len(subset(iids, 0.001, "7:0")) == 1
    without = {iids[one] for one in large} - {iids[3]}
    rest = iids[:3] + iids[4:]
    assert without <= {rest[one] for one in subset(rest, 0.41, "7:0")}, "nobody else leaves when one sample does"
