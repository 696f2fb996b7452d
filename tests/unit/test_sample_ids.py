"""IDs: their shape in messages, duplicates, overlaps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contigwas.runtime.errors import UserError
from contigwas.tables.sample_ids import require_overlap, require_unique, rows_of, shape


@pytest.mark.parametrize(
    ("ids", "text"),
    [
        (["1000014", "1000025", "x"], "7 digits"),
        (["HG00096"], "HG and 5 digits"),
        (["a-very-long-name"], "16 characters"),
        (["ABCD"], "4 characters"),
        ([], "no ID at all"),
    ],
)
def test_shape(ids, text):
    assert shape(ids) == text


@given(st.lists(st.from_regex(r"[0-9]{5,9}", fullmatch=True), min_size=1, max_size=10))
def test_the_shape_discloses_no_id(ids):
    assert not any(one in shape(ids) for one in ids)


@given(st.lists(st.integers(0, 50), unique=True), st.lists(st.integers(0, 50), unique=True))
def test_rows_are_found_by_id(wanted, have):
    rows = rows_of(list(map(str, wanted)), list(map(str, have)))
    for one, row in zip(wanted, rows, strict=True):
        assert (row == -1) == (one not in have)
        assert row == -1 or have[row] == one


def test_duplicates_and_missing_overlap_are_reported_without_ids():
    with pytest.raises(UserError, match="1 individual IDs appear more than once .*7 digits") as error:
        require_unique(["1000014", "1000014", "1000015"], "a.fam")
    assert "1000014" not in str(error.value)
    require_unique(["1", "2"], "a.fam")
    with pytest.raises(UserError, match=r"left \(1 samples, IDs of HG and 5 digits\) and right \(2 samples, IDs of 7"):
        require_overlap(["HG00096"], ["1000014", "1000015"], "left", "right")
    require_overlap(["1", "2"], ["2"], "left", "right")
