"""The views of the ledger: state, backlog and lateness, as seen with nothing but SQL."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from lastmile.operations.status import summary

OFFSETS = st.timedeltas(min_value=timedelta(days=-400), max_value=timedelta(days=4_000))


@pytest.mark.behaviour(number=31)
def test_the_state_view_adds_up_to_the_ledger_by_partition_and_state(site):
    site.arrive("a.csv", "v1,3,2,1,done", "v2,bad,2,1,done", "v3,3,2,1,done")
    site.arrive("b.csv", "v4,bad,2,1,done", year="2021")
    site.put_rows("c.csv", "v5,3,2,1,done")
    site.discover()
    found = site.query("SELECT * FROM ledger.state ORDER BY partition, state")
    assert [(row["partition"], row["state"], row["drops"]) for row in found] == [
        ("2020", "discovered", 1), ("2020", "loaded", 1), ("2021", "quarantined", 1)
    ]  # fmt: skip
    for name in ("rows_read", "rows_loaded", "rows_quarantined", "rows_duplicate"):
        assert sum(row[name] for row in found) == sum(drop[name] for drop in site.drops())
    assert sum(row["bytes"] for row in found) == sum(drop["size"] for drop in site.drops())


@pytest.mark.behaviour(number=31)
def test_the_backlog_view_says_how_many_wait_and_for_how_long(site):
    assert site.query("SELECT * FROM ledger.backlog") == []
    for name, year in (("a.csv", "2019"), ("b.csv", "2020"), ("c.csv", "2020")):
        site.put_rows(name, f"{name},3,2,1,done", year=year)
    site.discover()
    site.query("UPDATE ledger.drops SET discovered_at = now() - interval '90 s' WHERE key LIKE '%%b.csv' RETURNING id")
    first, second = site.query("SELECT partition, waiting, oldest_seconds FROM ledger.backlog ORDER BY partition")
    assert (first["partition"], first["waiting"]) == ("2019", 1)
    assert (second["partition"], second["waiting"]) == ("2020", 2)
    assert first["oldest_seconds"] < 60 < 90 <= second["oldest_seconds"] < 120
    assert (summary(site.connection, site.store.url)["backlog"]) == 3
    site.take()
    assert site.query("SELECT * FROM ledger.backlog") == []
    assert summary(site.connection, site.store.url)["lag_seconds"] == 0


@pytest.mark.behaviour(number=20)
def test_a_late_drop_is_measured_from_the_end_of_its_partition_and_one_in_time_is_not_late(site):
    site.arrive("first.csv", "v0,3,2,1,done", year="2020")
    site.began("2020-06-01")
    site.arrive("late.csv", "v1,3,2,1,done", year="2020")
    this_year = str(datetime.now(UTC).year)
    site.put_rows("in_time.csv", "v2,3,2,1,done", year=this_year)
    site.discover()
    (late,) = site.query("SELECT * FROM ledger.lateness")
    assert (late["key"], late["partition_end"]) == ("landing/visits/2020/late.csv", date(2021, 1, 1))
    since = datetime.now(UTC) - datetime(2021, 1, 1, tzinfo=UTC)
    assert late["lateness_seconds"] == pytest.approx(since.total_seconds(), abs=60)
    assert [drop["lateness_seconds"] > 0 for drop in site.drops()] == [False, True, False]
    found = summary(site.connection, site.store.url)
    assert (found["late"], found["lateness_seconds"]) == (1, pytest.approx(late["lateness_seconds"], abs=0.1))


@pytest.mark.behaviour(number=20)
def test_history_that_is_brought_in_is_measured_and_not_late(site):
    """Its partitions had ended before the dataset's first drop appeared: nobody could have sent it here in time."""
    site.arrive("a.csv", "v1,3,2,1,done", year="2020")
    site.arrive("b.csv", "v2,3,2,1,done", year="2019")
    assert all(drop["lateness_seconds"] > 0 for drop in site.drops())
    assert site.query("SELECT * FROM ledger.lateness") == []
    found = summary(site.connection, site.store.url)
    assert (found["late"], found["lateness_seconds"]) == (0, 0)
    site.began("2020-06-01")
    assert [row["key"] for row in site.query("SELECT key FROM ledger.lateness")] == []
    site.arrive("c.csv", "v3,3,2,1,done", year="2020")
    assert [row["key"] for row in site.query("SELECT key FROM ledger.lateness")] == ["landing/visits/2020/c.csv"]


@pytest.mark.behaviour(number=20)
def test_a_newer_version_of_an_object_is_measured_on_its_own(site):
    site.arrive("a.csv", "v1,3,2,1,done")
    site.query(
        "UPDATE ledger.drops SET modified_at = '2020-06-01', discovered_at = '2020-06-01' RETURNING lateness_seconds"
    )
    site.arrive("a.csv", "v1,3,2,1,done", "v2,3,2,1,done")
    assert [drop["lateness_seconds"] > 0 for drop in site.drops()] == [False, True]


@pytest.mark.behaviour(number=20)
@given(written=OFFSETS, found=OFFSETS)
@hypothesis_settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_lateness_is_from_the_end_of_the_partition_to_the_earlier_of_written_and_found(site, written, found):
    end = datetime(2021, 1, 1, tzinfo=UTC)
    site.connection.execute("DELETE FROM ledger.drops")
    site.connection.execute(
        "INSERT INTO ledger.drops (dataset, partition, store, key, version, size, modified_at, discovered_at,"
        " partition_end) VALUES ('visits', '2020', 's', 'k', 'v', 1, %s, %s, '2021-01-01')",
        [end + written, end + found],
    )
    (drop,) = site.drops()
    assert drop["lateness_seconds"] == pytest.approx(max(0, min(written, found).total_seconds()), abs=1e-3)


def test_what_is_released_or_discarded_is_no_longer_undecided(site):
    def undecided():
        return summary(site.connection, site.store.url)["undecided"]

    site.arrive("a.csv", "v1,3,2,1,done", "v2,bad,2,1,done", "v3,3,2,1,done", "v1,3,2,1,done")
    site.arrive("b.csv", "v4,bad,2,1,done")
    assert undecided() == {"rows": 1, "drops": 1}
    site.query("INSERT INTO quarantine.discarded (drop_id, line, why) SELECT drop_id, line, 'no' FROM quarantine.rows"
               " WHERE drop_id = 1 AND kind = 'bad' RETURNING line")  # fmt: skip
    site.query("UPDATE ledger.drops SET discarded_at = now() WHERE id = 2 RETURNING id")
    assert undecided() == {"rows": 0, "drops": 0}


def test_the_views_say_what_they_mean(site):
    described = site.query(
        "SELECT relname, obj_description(oid) AS text FROM pg_class"
        " WHERE relnamespace = 'ledger'::regnamespace AND relkind = 'v' ORDER BY relname"
    )
    assert [row["relname"] for row in described] == ["backlog", "lateness", "state"]
    assert all(row["text"] for row in described)
