"""Which objects of the landing area become drops, and that each version of each becomes one exactly once."""

import os

from lastmile.intake import ledger
from lastmile.intake.discovering import discover, place_all
from lastmile.landing import is_unfinished


def test_the_same_listing_twice_enters_a_drop_once(site):
    site.put_rows("a.csv", "v1,3,2,1,done")
    assert (site.discover(), site.discover()) == (1, 0)
    assert site.states() == ["discovered"]


def test_identity_is_key_and_version_never_time(site):
    key = site.put_rows("a.csv", "v1,3,2,1,done")
    site.discover()
    (listed,) = site.store.list("landing/")
    again = ledger.Found("visits", "2020", key, listed.version, listed.size, listed.modified_at.replace(year=2031))
    assert ledger.register(site.connection, site.store.url, [again]) == 0
    newer = ledger.Found("visits", "2020", key, "another version", listed.size, listed.modified_at)
    assert ledger.register(site.connection, site.store.url, [newer]) == 1
    site.query("DELETE FROM ledger.events RETURNING id")


def test_a_drop_older_than_the_newest_seen_is_found(site):
    site.arrive("new.csv", "v1,3,2,1,done")
    key = site.put_rows("old.csv", "v2,3,2,1,done")
    os.utime(site.folder / key, (1_000_000_000, 1_000_000_000))
    assert site.discover() == 1
    site.take()
    assert site.visits() == ["v1", "v2"]


def test_two_drops_with_the_same_timestamp_are_both_found(site):
    for name in ("a.csv", "b.csv"):
        key = site.put_rows(name, f"{name},3,2,1,done")
        os.utime(site.folder / key, (1_700_000_000, 1_700_000_000))
    assert site.discover() == 2
    site.take()
    assert site.visits() == ["a.csv", "b.csv"]


def test_deleting_old_objects_breaks_nothing(site):
    key = site.put_rows("a.csv", "v1,3,2,1,done")
    site.discover()
    site.take()
    site.store.delete(key)
    assert site.discover() == 0
    site.arrive("b.csv", "v2,3,2,1,done")
    assert site.visits() == ["v1", "v2"]
    assert site.states() == ["loaded", "loaded"]


def test_an_object_without_a_contract_is_entered_with_the_reason_and_taken_once_one_fits(site):
    key = site.put_rows("a.csv", "v1,3,2,1,done")
    discover(site.connection, site.store, {})
    (drop,) = site.drops()
    assert (drop["state"], drop["key"]) == ("failed", key)
    assert "no contract for dataset 'visits'" in drop["message"]
    assert site.discover() == 1
    site.take()
    assert site.visits() == ["v1"]


def test_a_partition_that_does_not_exist_is_told_with_what_was_expected(site):
    site.put_rows("a.csv", "v1,3,2,1,done", year="20-20")
    site.put_rows("b.csv", "v1,3,2,1,done", year="1999")
    site.discover()
    too_early, malformed = (drop["message"] for drop in sorted(site.drops(), key=lambda drop: drop["key"]))
    assert "'20-20' is not a year: expected the form '2015'" in malformed
    assert "'1999' is outside 2015 to" in too_early


def test_files_still_being_written_are_left_alone(site):
    for name in ("a.csv.tmp", "b.part", ".c.csv", "_SUCCESS", "d.csv~", "e.crdownload"):
        assert is_unfinished(f"landing/visits/2020/{name}")
        site.put(name, "half a ")
    assert site.discover() == 0
    assert not is_unfinished("landing/visits/2020/template.csv")


def test_ten_thousand_objects_are_listed_and_entered_in_pages(site):
    listed = site.store.list("landing/")
    assert list(place_all(listed, {})) == []
    found = (
        ledger.Found("visits", "2020", f"landing/visits/2020/{number}.csv", "1", 1, ledger.now(site.connection))
        for number in range(10_000)
    )
    assert ledger.register(site.connection, site.store.url, found) == 10_000
    assert site.query("SELECT count(*) AS drops FROM ledger.drops") == [{"drops": 10_000}]
