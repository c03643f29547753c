"""Each fault that a dataset's rule exists for: exactly one alert, and one recovery once it is mended."""

from datetime import timedelta

import pytest
from alerting import declare, watch, webhook
from hypothesis import given
from hypothesis import strategies as st

from lastmile.contracts import Alert, Alerts, Arrival, Route
from lastmile.contracts.alerts import SEVERITIES
from lastmile.operations.alerts.delivery import outbox
from lastmile.operations.watching.readings.datasets import jump

ROUTE = Route(channels=("team",))
GOOD = ("v1,3,2,1,done",)


def aged(site, how_old, drop):
    """The drop appeared so long ago."""
    site.query(
        "UPDATE ledger.drops SET discovered_at = now() - %s::interval, modified_at = now() - %s::interval"
        " WHERE id = %s RETURNING id",
        how_old,
        how_old,
        drop,
    )


@pytest.fixture
def team(site, settings):
    """Declares the site's contract, then looks: `team(...)` are the titles of what arrived in another ten minutes."""
    with webhook() as hook:
        here = watch(settings, f"team={hook.address}")

        def titles():
            before = len(hook.received)
            declare(site.database_url, site.contract, ROUTE)
            here.pass_by(10)
            return hook.titles[before:]

        yield titles


def test_a_stale_dataset_is_one_alert_until_a_drop_comes(site, team):
    site.under(arrival=Arrival(expected_every=timedelta(days=2), quiet_period=timedelta(0)))
    site.arrive("a.csv", *GOOD)
    assert team() == []
    aged(site, "3 days", 1)
    assert team() == ["[warning] freshness: visits"]
    assert team() == []
    site.arrive("b.csv", "v2,3,2,1,done")
    assert team() == ["[warning] over: freshness: visits"]


def test_a_dataset_without_expectations_is_never_stale(site, team):
    site.arrive("a.csv", *GOOD)
    aged(site, "9 years", 1)
    assert team() == []


def test_a_late_drop_is_one_alert_for_a_day(site, team):
    site.under(alerts=Alerts(lateness=Alert(timedelta(days=7), severity="critical"), freshness=None))
    site.arrive("first.csv", *GOOD, year="2020")
    site.began("2020-06-01")
    assert team() == []
    site.arrive("late.csv", "v2,3,2,1,done", year="2020")
    assert team() == ["[critical] lateness: visits 2020"]
    aged(site, "2 days", 2)
    assert team() == ["[critical] over: lateness: visits 2020"]


def test_a_drop_quarantined_whole_is_one_alert_until_it_is_discarded(site, team):
    site.arrive("a.csv", "v1,bad,2,1,done", "v2,bad,2,1,done", "v3,3,2,1,done")
    assert site.states() == ["quarantined"]
    assert team() == ["[warning] bad_share: visits 2020"]
    site.query("UPDATE ledger.drops SET discarded_at = now() RETURNING id")
    assert team() == ["[warning] over: bad_share: visits 2020"]


def test_a_drop_that_cannot_be_read_is_one_alert_until_a_good_one_replaces_it(site, team):
    site.put("a.csv", b"\x00\x01\x02 no table")
    site.discover()
    site.take()
    (title,) = team()
    assert title in ("[warning] failed_drops: visits 2020", "[warning] bad_share: visits 2020")
    site.put_rows("a.csv", *GOOD)
    site.discover()
    site.take()
    assert team() == [title.replace("[warning] ", "[warning] over: ")]


def test_an_undeclared_column_is_one_alert_until_the_newest_drop_is_without(site, team):
    site.put("a.csv", "visit,persons,weather\nv1,3,rain\n")
    site.discover()
    site.take()
    assert team() == ["[info] schema_drift: visits"]
    site.arrive("b.csv", "v2,3,2,1,done")
    assert team() == ["[info] over: schema_drift: visits"]


def test_a_partition_with_a_fraction_of_the_usual_rows_is_one_alert_until_the_rest_comes(site, team):
    for year in range(2015, 2022):
        rows = 2 if year == 2021 else 60
        site.put_rows(f"{year}.csv", *(f"{year}-{n},3,2,1,done" for n in range(rows)), year=str(year))
    site.discover()
    site.take(partitions=[str(year) for year in range(2015, 2022)])
    assert team() == ["[warning] volume: visits 2021"]
    site.put_rows("more.csv", *(f"more-{n},3,2,1,done" for n in range(55)), year="2021")
    site.discover()
    site.take()
    assert team() == ["[warning] over: volume: visits 2021"]


def test_what_is_not_watched_gives_no_alert(site, team):
    site.under(alerts=Alerts(bad_share=None))
    site.arrive("a.csv", "v1,bad,2,1,done", "v2,bad,2,1,done", "v3,3,2,1,done")
    assert team() == []


def test_every_message_names_the_owner_of_the_dataset(site, team):
    site.arrive("a.csv", "v1,bad,2,1,done", "v2,bad,2,1,done")
    team()
    assert {row["owner"] for row in outbox.messages(site.connection, 10)} == {site.contract.owner}


@given(st.lists(st.integers(90, 110), min_size=6, max_size=40))
def test_rows_that_vary_by_a_tenth_are_no_jump(rows):
    found = jump([{"rows": one, "partition": str(number), "ended": True} for number, one in enumerate(rows)])
    assert found is not None
    assert found.value < 5


@given(st.lists(st.integers(90, 110), min_size=6, max_size=40), st.sampled_from([5, 2000]))
def test_rows_that_are_a_twentieth_or_twenty_times_the_usual_are_a_jump(rows, newest):
    partitions = [{"rows": one, "partition": str(number), "ended": True} for number, one in enumerate([*rows, newest])]
    found = jump(partitions)
    assert found is not None
    assert found.value >= 5


def test_a_partition_that_is_not_over_may_still_have_few_rows():
    before = [{"rows": 100, "partition": str(year), "ended": True} for year in range(2010, 2020)]
    found = jump([*before, {"rows": 1, "partition": "2020", "ended": False}])
    assert found is not None
    assert found.value == 0


@pytest.mark.parametrize("wrong", [{"severity": "fatal"}, {"lasting": timedelta(seconds=-1)}])
def test_an_alert_that_cannot_be_is_refused_where_it_is_declared(wrong):
    with pytest.raises(ValueError, match="expected"):
        Alert(1, **wrong)


def test_a_threshold_is_no_part_of_the_contracts_version(site):
    before = site.contract.version
    assert site.under(alerts=Alerts(bad_share=Alert(0.5, severity=SEVERITIES[-1]))).contract.version == before
