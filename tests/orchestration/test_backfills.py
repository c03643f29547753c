"""Which assets and partitions a backfill is of, how far it is, and what is left of one that stopped."""

from contextlib import contextmanager
from datetime import date
from pathlib import Path

import dagster as dg
import psycopg
import pytest
from dagster_private import BulkActionStatus, workspace_of

from lastmile.cli.progress.row_changes import counted, summary
from lastmile.contracts.partition import span
from lastmile.errors import UserError
from lastmile.orchestration.backfills import Backfill, Range, request, request_resume, request_whole
from lastmile.orchestration.dagster_compat import graphql
from lastmile.orchestration.dagster_compat.graphql import Workspace

CODE = """
import dagster as dg

DAYS = dg.DailyPartitionsDefinition("2024-01-01", end_date="2024-12-31")

@dg.asset(key=["raw", "lines"], partitions_def=DAYS)
def lines() -> None: ...

@dg.asset(key=["marts", "revenue"], partitions_def=DAYS, deps=[lines])
def revenue() -> None: ...

@dg.asset(key=["marts", "total"], deps=[revenue])
def total() -> None: ...

@dg.asset(key=["raw", "waves"], partitions_def=dg.StaticPartitionsDefinition(["2023", "2024"]))
def waves() -> None: ...

@dg.asset(key=["late", "lines"], partitions_def=dg.DailyPartitionsDefinition("2024-03-01", end_date="2024-12-31"))
def late_lines() -> None: ...

MONTHS = dg.MonthlyPartitionsDefinition("2024-01-01", end_date="2024-12-01")
MAPPING = dg.TimeWindowPartitionMapping(allow_nonexistent_upstream_partitions=True)

@dg.asset(key=["monthly", "lines"], partitions_def=MONTHS, deps=[dg.AssetDep(late_lines, partition_mapping=MAPPING)])
def monthly() -> None: ...

defs = dg.Definitions([lines, revenue, total, waves, late_lines, monthly])
"""
NOWHERE = Path("workspace.yaml")


@pytest.fixture(scope="module")
def location(tmp_path_factory):
    file = tmp_path_factory.mktemp("location") / "backfilled.py"
    file.write_text(CODE)
    return file


@pytest.fixture
def instance(location, monkeypatch):
    """An instance on which the workspace is the code above, loaded in this process."""

    @contextmanager
    def loaded(instance, file):
        with workspace_of(instance, location) as context:
            yield Workspace(context)

    monkeypatch.setattr(graphql, "workspace", loaded)
    with dg.DagsterInstance.local_temp() as instance:
        yield instance


@pytest.fixture
def ask(instance):
    def ask(selection, first="2024-02-28", last="2024-03-01", **tags):
        launched = request(instance, NOWHERE, Range(selection, first, last), tags)
        return instance.get_backfill(launched.backfill_id)

    return ask


def targets(backfill):
    subset = backfill.asset_backfill_data.target_subset
    parts = {(key.to_user_string(), part) for key, part in subset.iterate_asset_partitions()}
    return sorted(parts, key=str)


def test_any_slice_of_assets_can_be_made_for_a_range(ask):
    days = ("2024-02-28", "2024-02-29", "2024-03-01")
    assert targets(ask('key:"marts/revenue"')) == [("marts/revenue", day) for day in days]
    lines_and_revenue = [(key, day) for key in ("marts/revenue", "raw/lines") for day in days]
    assert targets(ask('key:"raw/lines"+1')) == lines_and_revenue
    assert targets(ask('key:"raw/lines"+')) == sorted([*lines_and_revenue, ("marts/total", None)], key=str)


def test_assets_of_different_partitions_are_each_made_for_theirs_of_the_range(ask):
    mixed = 'key:"raw/lines" or key:"late/lines" or key:"monthly/lines"'
    assert targets(ask(mixed)) == [
        ("late/lines", "2024-03-01"),
        ("monthly/lines", "2024-02-01"),
        ("monthly/lines", "2024-03-01"),
        *(("raw/lines", day) for day in ("2024-02-28", "2024-02-29", "2024-03-01")),
    ]
    early = targets(ask(mixed, "2024-02-01", "2024-02-01"))
    assert early == [("monthly/lines", "2024-02-01"), ("raw/lines", "2024-02-01")]


@pytest.mark.parametrize(
    ("selection", "first", "last", "reported"),
    [
        ('key:"marts/nothing"', "2024-01-01", "2024-01-02", "no asset is"),
        ("key:((", "2024-01-01", "2024-01-02", "cannot read the selection"),
        ('key:"marts/total"', "2024-01-01", "2024-01-02", "none of these assets is made by partition"),
        ('key:"raw/*"', "2024-01-01", "2024-01-02", "raw/waves have partitions from 2023 to 2024; found 2024-01-01"),
        ('key:"raw/lines"', "2023-12-31", "2024-01-02", "raw/lines have partitions from 2024-01-01"),
        ('key:"raw/lines"', "2024-01-02", "2024-01-01", "are not the same partitions"),
    ],
)
def test_a_mistake_is_reported(ask, selection, first, last, reported):
    with pytest.raises(UserError, match=reported):
        ask(selection, first, last)


def test_assets_without_partitions_are_made_without_a_range(instance):
    launched = request_whole(instance, NOWHERE, 'key:"marts/total"', {"lastmile/cause": "by hand"})
    backfill = instance.get_backfill(launched.backfill_id)
    assert targets(backfill) == [("marts/total", None)]
    assert backfill.tags["lastmile/cause"] == "by hand"
    with pytest.raises(UserError, match="marts/revenue: made by partition; say which with --from and --to"):
        request_whole(instance, NOWHERE, 'key:"marts/*"', {})


def test_a_backfill_carries_its_tags_and_says_what_it_is_of(ask):
    backfill = ask('key:"marts/revenue"', **{"lastmile/redo": "true"})
    assert backfill.tags["lastmile/redo"] == "true"
    assert (backfill.title, backfill.description) == ("2024-02-28 to 2024-03-01", 'key:"marts/revenue"')
    assert backfill.status == BulkActionStatus.REQUESTED


def test_the_rest_of_a_backfill_is_what_it_has_not_made(instance, location, ask):
    backfill = ask('key:"marts/revenue"')
    with pytest.raises(UserError, match="still under way"):
        request_resume(instance, NOWHERE, backfill.backfill_id)
    made = ask('key:"marts/revenue"', "2024-02-28", "2024-02-29").asset_backfill_data.target_subset
    data = backfill.asset_backfill_data._replace(materialized_subset=made)
    with workspace_of(instance, location) as context:
        graph = context.create_request_context().asset_graph
    stopped = backfill.with_status(BulkActionStatus.CANCELED).with_asset_backfill_data(data, instance, graph)
    instance.update_backfill(stopped)
    launched = Backfill(backfill.backfill_id, [])
    assert (launched.progress(instance), launched.is_done(instance)) == ((2, 3), False)
    assert launched.left(instance).startswith("2 of 3 partitions of assets were made")
    assert f"lastmile backfill --resume {backfill.backfill_id}" in launched.left(instance)
    rest = request_resume(instance, NOWHERE, backfill.backfill_id)
    assert targets(instance.get_backfill(rest.backfill_id)) == [("marts/revenue", "2024-03-01")]
    assert rest.keys == [dg.AssetKey(["marts", "revenue"])]
    with pytest.raises(UserError, match="no backfill nothing"):
        request_resume(instance, NOWHERE, "nothing")


def test_a_backfill_that_has_made_everything_leaves_nothing_to_resume(instance, location, ask):
    backfill = ask('key:"marts/revenue"')
    data = backfill.asset_backfill_data
    with workspace_of(instance, location) as context:
        graph = context.create_request_context().asset_graph
    whole = data._replace(materialized_subset=data.target_subset)
    ended = backfill.with_status(BulkActionStatus.COMPLETED_SUCCESS).with_asset_backfill_data(whole, instance, graph)
    instance.update_backfill(ended)
    assert Backfill(backfill.backfill_id, []).is_done(instance)
    with pytest.raises(UserError, match="is made"):
        request_resume(instance, NOWHERE, backfill.backfill_id)


@pytest.mark.parametrize(
    ("keys", "days"),
    [
        (("2023", "2024"), (date(2023, 1, 1), date(2025, 1, 1))),
        (("2024-02", "2024-02"), (date(2024, 2, 1), date(2024, 3, 1))),
        (("2024-02-28", "2024-02-29"), (date(2024, 2, 28), date(2024, 3, 1))),
    ],
)
def test_a_range_of_any_unit_is_of_days(keys, days):
    assert span(*keys) == days


def test_keys_of_different_units_are_no_range():
    with pytest.raises(ValueError, match="expected two years, months or days"):
        span("2023", "2024-01")


def test_the_rows_of_each_partition_are_counted_before_and_after(empty_database_url):
    keys = [dg.AssetKey(["cleaned", "lines"]), dg.AssetKey(["marts", "total"]), dg.AssetKey(["features", "none"])]
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA raw; CREATE TABLE raw.lines (_partition_start date)")
        connection.execute("CREATE SCHEMA marts; CREATE VIEW marts.total AS SELECT NULL::date AS partition_start")
        connection.execute(
            "INSERT INTO raw.lines VALUES ('2024-01-01'), ('2024-01-01'), ('2024-01-02'), ('2025-01-01')"
        )
        before = counted(connection, keys, date(2024, 1, 1), date(2024, 12, 31))
        connection.execute("DELETE FROM raw.lines WHERE _partition_start = '2024-01-01'")
        after = counted(connection, keys, date(2024, 1, 1), date(2024, 12, 31))
    assert before == {"raw.lines": {date(2024, 1, 1): 2, date(2024, 1, 2): 1}}
    assert after == {"raw.lines": {date(2024, 1, 2): 1}}
    shown = [list(column.cells) for column in summary(before, after).columns]
    assert shown == [["raw.lines"] * 2, ["2024-01-01", "1 of 2 partitions"], ["2", "3"], ["0", "1"]]
