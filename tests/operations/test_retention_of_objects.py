"""Clean-up takes away what is safely loaded, nothing else, and the ledger stays as it was."""

from datetime import timedelta

import pytest

from lastmile.errors import UserError
from lastmile.operations.retention import alone, objects
from lastmile.store import removal

pytestmark = pytest.mark.behaviour(number=30)
AT_ONCE = timedelta(0)


def clean(site, age=AT_ONCE):
    return objects.clean(site.connection, site.store, "visits", age)


def left(site):
    return [listed.key.rpartition("/")[2] for listed in site.store.list("landing/")]


def kept(tally):
    return dict(tally.kept)


def test_only_objects_of_drops_loaded_in_full_are_removed(site):
    site.arrive("loaded.csv", "v1,3,2,1,done")
    site.arrive("in_part.csv", "v2,3,2,1,done", "v3,bad,2,1,done")
    site.arrive("bad.csv", "v4,bad,2,1,done")
    site.put_rows("waiting.csv", "v5,3,2,1,done")
    site.put_rows("misplaced.csv", "v6,3,2,1,done", year="1850")
    site.discover()
    site.put_rows("unseen.csv", "v7,3,2,1,done")
    before = site.drops()
    tally = clean(site)
    assert sorted(left(site)) == ["bad.csv", "in_part.csv", "misplaced.csv", "unseen.csv", "waiting.csv"]
    assert (tally.objects, tally.bytes) == (1, before[0]["size"])
    assert kept(tally) == {
        "with quarantined rows that are neither released nor discarded": 1,
        "not loaded": 2,
        "waiting, or being ingested": 1,
        "not yet in the ledger": 1,
    }
    assert [drop["key"] for drop in site.drops() if drop["removed_at"]] == ["landing/visits/2020/loaded.csv"]
    assert [{**drop, "removed_at": None} for drop in site.drops()] == before
    assert site.visits() == ["v1", "v2"]


def test_the_ledger_outlives_the_object_and_records_that_it_went(site):
    site.arrive("a.csv", "v1,3,2,1,done")
    clean(site)
    assert left(site) == []
    (drop,) = site.drops()
    assert (drop["state"], drop["rows_loaded"]) == ("loaded", 1)
    assert drop["removed_at"] is not None
    assert "clean-up removes its object" in site.query("SELECT message FROM ledger.events ORDER BY id")[-1]["message"]


def test_listing_afterwards_finds_nothing_new_and_misses_nothing(site):
    site.arrive("a.csv", "v1,3,2,1,done")
    site.arrive("a.csv", "v1,3,2,1,done", "v2,3,2,1,done")
    clean(site)
    before = site.drops()
    assert (site.discover(), site.take()) == (0, [])
    assert site.drops() == before
    assert site.visits() == ["v1", "v2"]


def test_what_was_loaded_only_recently_stays(site):
    site.arrive("old.csv", "v1,3,2,1,done")
    site.query("UPDATE ledger.drops SET settled_at = now() - interval '31 days' RETURNING id")
    site.arrive("new.csv", "v2,3,2,1,done")
    assert kept(clean(site, timedelta(days=30))) == {"loaded only recently": 1}
    assert left(site) == ["new.csv"]


def test_a_version_that_arrived_since_the_last_listing_stays_and_is_ingested(site):
    site.arrive("a.csv", "v1,3,2,1,done")
    site.put_rows("a.csv", "v1,3,2,1,done", "v2,3,2,1,done")
    assert clean(site).objects == 0
    site.discover()
    site.take()
    assert site.visits() == ["v1", "v2"]
    assert clean(site).objects == 1
    assert left(site) == []


def test_a_version_that_comes_at_the_very_moment_stays_and_is_ingested(site, monkeypatch):
    site.arrive("a.csv", "v1,3,2,1,done")
    look = removal._expect_version

    def look_just_before_it_comes(*arguments):
        look(*arguments)
        monkeypatch.setattr(removal, "_expect_version", look)
        site.put_rows("a.csv", "v2,3,2,1,done")

    if site.store.keeps_versions:
        listed = objects._removals

        def listed_just_before_it_comes(*arguments):
            monkeypatch.setattr(objects, "_removals", listed)
            judged = listed(*arguments)
            site.put_rows("a.csv", "v2,3,2,1,done")
            return judged

        monkeypatch.setattr(objects, "_removals", listed_just_before_it_comes)
    else:
        monkeypatch.setattr(removal, "_expect_version", look_just_before_it_comes)
    tally = clean(site)
    assert (tally.objects, tally.kept.total()) == (0, 1)
    assert site.drops()[0]["removed_at"] is None
    assert site.discover() == 1
    site.take()
    assert site.visits() == ["v2"]


def test_superseded_and_duplicate_versions_of_the_key_go_with_it(site):
    site.arrive("a.csv", "v1,3,2,1,done")
    site.arrive("a.csv", "v2,3,2,1,done")
    if not site.store.url.startswith("s3") or site.store.keeps_versions:
        site.put_rows("a.csv", "v2,3,2,1,done")
        site.discover()
        assert [outcome.state for outcome in site.take()] == ["duplicate"]
    assert clean(site).objects == 1
    assert left(site) == []
    assert site.discover() == 0
    assert site.visits() == ["v2"]


def test_the_same_bytes_under_another_key_stay_since_the_ledger_does_not_call_them_loaded(site):
    site.arrive("a.csv", "v1,3,2,1,done")
    site.arrive("b.csv", "v1,3,2,1,done")
    assert site.states() == ["loaded", "duplicate"]
    clean(site)
    assert left(site) == ["b.csv"]


def test_discarded_rows_keep_nothing(site):
    site.arrive("a.csv", "v1,3,2,1,done", "v2,bad,2,1,done")
    assert clean(site).objects == 0
    site.query("INSERT INTO quarantine.discarded (drop_id, line, why) SELECT drop_id, line, 'no' FROM quarantine.rows"
               " RETURNING line")  # fmt: skip
    assert clean(site).objects == 1


def test_a_redo_of_a_removed_drop_keeps_its_rows_and_says_why(site):
    site.arrive("a.csv", "v1,3,2,1,done")
    clean(site)
    assert site.take(redo=True) == []
    (drop,) = site.drops()
    assert (drop["state"], site.visits()) == ("loaded", ["v1"])
    assert "not redone, rows kept" in drop["message"]
    assert "there is no such object" in drop["message"]


def test_the_same_object_put_again_is_removed_again_and_loads_nothing(site):
    site.arrive("a.csv", "v1,3,2,1,done")
    clean(site)
    site.put_rows("a.csv", "v1,3,2,1,done")
    site.discover()
    site.take()
    assert site.visits() == ["v1"]
    assert clean(site).objects == 1
    assert left(site) == []


def test_a_clean_up_killed_between_writing_down_and_removing_is_finished_by_the_next(site, monkeypatch):
    for number in range(3):
        site.arrive(f"{number}.csv", f"v{number},3,2,1,done")

    def dies(store, listed, older):
        if listed.key.endswith("1.csv"):
            raise KeyboardInterrupt
        removal.remove(store, listed, older)

    monkeypatch.setattr(objects, "remove", dies)
    with pytest.raises(KeyboardInterrupt):
        clean(site)
    assert left(site) == ["1.csv", "2.csv"]
    monkeypatch.undo()
    assert clean(site).objects == 2
    assert left(site) == []
    assert clean(site).objects == 0
    removed = site.query("SELECT count(*) AS events FROM ledger.events WHERE message LIKE 'clean-up%%'")
    assert removed == [{"events": 3}]


def test_a_survey_of_a_clean_up_changes_nothing(site):
    site.arrive("a.csv", "v1,3,2,1,done")
    before = site.drops()
    assert objects.survey(site.connection, site.store, "visits", AT_ONCE).objects == 1
    assert (left(site), site.drops()) == (["a.csv"], before)


def test_two_clean_ups_at_once_are_refused(site, new_connection):
    site.arrive("a.csv", "v1,3,2,1,done")
    with alone.alone(new_connection()), pytest.raises(UserError, match="another clean-up is under way"):
        clean(site)
    assert clean(site).objects == 1


def test_a_version_that_was_never_ingested_keeps_its_key(site):
    if not site.store.keeps_versions:
        pytest.skip("only where the store keeps versions can one lie below another")
    site.put_rows("a.csv", "v1,3,2,1,done")
    site.put_rows("a.csv", "v2,3,2,1,done")
    site.discover()
    site.take()
    assert kept(clean(site)) == {"changed meanwhile, or has versions that were never ingested": 1}
    assert left(site) == ["a.csv"]


def test_cleaned_files_that_no_loaded_drop_names_are_swept_once_old(site, monkeypatch):
    site.arrive("a.csv", "v1,3,2,1,done")
    (named,) = [drop["cleaned_key"] for drop in site.drops()]
    orphan, foreign = f"{named[:-8]}dead.parquet", "cleaned/visits/partition=2020/drop=999-00000000.parquet"
    for key in (orphan, foreign):
        site.store.put(key, b"x")
    assert objects.sweep(site.connection, site.store, "visits").objects == 0
    monkeypatch.setattr(objects, "_ORPHANED_AFTER", -timedelta(hours=1))
    assert objects.sweep(site.connection, site.store, "visits").objects == 1
    assert {listed.key for listed in site.store.list("cleaned/")} == {named, foreign}
