"""`lastmile backfill`: which datasets and partitions a range means; the run itself is in the end-to-end tests."""

import pytest

from lastmile.cli.backfill import backfill
from lastmile.contracts import load_contracts
from lastmile.errors import UserError
from lastmile.operations.backfill import partition_ranges as ranges

YEARS = ["2015", "2016", "2017"]


@pytest.fixture(scope="module")
def contracts():
    return load_contracts()


def test_without_a_dataset_every_dataset_of_that_shape_is_meant(contracts):
    assert ranges(contracts, None, "2015", "2017") == [(YEARS, ["crop", "hhinfo", "lstk", "lstk_prod"])]


def test_datasets_are_grouped_so_that_a_range_is_one_run(contracts):
    assert ranges(contracts, ["hhinfo", "crop"], "2015", "2017") == [(YEARS, ["hhinfo", "crop"])]


def test_datasets_that_begin_on_different_days_are_backfilled_by_themselves(contracts):
    """Dagster refuses a backfill whose assets have partitions of different kinds."""
    days = ["2024-02-01", "2024-02-02"]
    found = ranges(contracts, None, days[0], days[1])
    together = [["comments", "posts", "users"], ["retail_lines"], ["access_log", "page_beacons"]]
    assert found == [(days, datasets) for datasets in together]


@pytest.mark.parametrize(
    ("wanted", "first", "last", "said"),
    [
        (["nothing"], "2015", "2017", "no dataset 'nothing'"),
        (["hhinfo"], "2017", "2015", "'2017' comes after '2015'"),
        (["hhinfo"], "2015-01", "2017", "'2015-01' is not a year"),
        (None, "2015-1", "2015-2", "is not a (day|month|year)"),
    ],
)
def test_a_mistake_is_reported(contracts, wanted, first, last, said):
    with pytest.raises(UserError, match=said):
        ranges(contracts, wanted, first, last)


@pytest.mark.parametrize(
    "given",
    [
        {"drop": [1], "resume": "abcdefgh"},
        {"drop": [1], "select": "group:warehouse"},
        {"drop": [1], "first": "2015"},
        {"resume": "abcdefgh", "first": "2015"},
        {"resume": "abcdefgh", "redo": True},
    ],
)
def test_options_that_would_be_ignored_are_refused(given, tmp_path, monkeypatch):
    monkeypatch.setenv("LASTMILE_HOME", str(tmp_path))
    nothing = dict.fromkeys(("first", "last", "dataset", "on", "scheduler", "drop", "select", "resume"))
    with pytest.raises(UserError, match=r"--(drop|resume) stands alone"):
        backfill(**nothing | {"redo": False} | given)


@pytest.mark.parametrize("given", [{"select": "group:warehouse", "first": "2015"}, {"first": "2015"}, {}])
def test_half_a_range_is_refused(given, tmp_path, monkeypatch):
    monkeypatch.setenv("LASTMILE_HOME", str(tmp_path))
    nothing = dict.fromkeys(("first", "last", "dataset", "on", "scheduler", "drop", "select", "resume"))
    with pytest.raises(UserError, match="say which partitions with --from and --to"):
        backfill(**nothing | {"redo": False} | given)
