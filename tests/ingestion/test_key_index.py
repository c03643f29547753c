"""The first row of each key is distinguished from duplicates, however the rows are split into batches."""

from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastmile.ingestion import dedup
from lastmile.ingestion.dedup import KeyIndex

SCHEMA = {"hhid": pl.String, "n": pl.Int64, "f": pl.Float64, "d": pl.Date}
KEYS = st.tuples(
    st.none() | st.sampled_from(["", "a", "b", "ab", "a\x1f"]),
    st.none() | st.integers(-1, 1),
    st.none() | st.sampled_from([0.0, -0.0, 0.5]),
    st.none() | st.sampled_from([date(2017, 1, 1), date(2018, 1, 1)]),
)


def first_seen(index, rows, schema=SCHEMA):
    return index.first_seen(pl.DataFrame(rows, schema=schema, orient="row")).to_list()


@given(st.lists(st.lists(KEYS, max_size=30), max_size=6))
def test_a_row_is_first_when_no_row_before_it_has_its_key(batches):
    index, seen = KeyIndex(list(SCHEMA)), set()
    for rows in batches:
        expected = []
        for row in rows:
            expected.append(None in row or row not in seen)
            seen.add(row)
        assert first_seen(index, rows) == expected


def test_a_row_with_a_part_of_its_key_missing_is_never_a_duplicate():
    index = KeyIndex(["hhid", "n"])
    rows = [("a", None), (None, 1), (None, None), ("a", 1)]
    schema = {"hhid": pl.String, "n": pl.Int64}
    assert first_seen(index, rows * 2, schema) == [True] * 7 + [False]
    assert first_seen(index, rows, schema) == [True, True, True, False]


def test_parts_of_a_key_do_not_run_into_each_other():
    schema = {"x": pl.String, "y": pl.String}
    assert first_seen(KeyIndex(["x", "y"]), [("ab", "c"), ("a", "bc"), ("c", "ab")], schema) == [True] * 3


def test_columns_outside_the_key_do_not_matter():
    index = KeyIndex(["n"])
    assert index.first_seen(pl.DataFrame({"n": [1], "t": ["x"]})).to_list() == [True]
    assert index.first_seen(pl.DataFrame({"t": ["y"], "n": [1]})).to_list() == [False]


@pytest.mark.parametrize("longest_run", [1, 3_000, 1_000_000])
def test_keys_are_remembered_over_many_batches_of_any_length(monkeypatch, longest_run):
    monkeypatch.setattr(dedup, "MAX_RUN_KEYS", longest_run)
    random, index, seen = np.random.default_rng(1), KeyIndex(["n"]), set()
    for length in random.integers(0, 2_000, 60):
        keys = random.integers(0, 30_000, length).tolist()
        expected = [key not in seen and key not in keys[:place] for place, key in enumerate(keys)]
        assert first_seen(index, [(key,) for key in keys], {"n": pl.Int64}) == expected
        seen.update(keys)
