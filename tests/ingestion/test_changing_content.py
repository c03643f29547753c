"""The same object again, with the same bytes, other bytes, or no bytes."""

import os
import time

import pytest
from visits import HEADER, checked_site

from lastmile.ingestion import worker
from lastmile.ingestion.batch import Reader
from lastmile.settings import Settings
from lastmile.store import open_store


def names_bytes(site):
    """Whether the store names versions by their bytes, so that the same bytes again are no new version."""
    return site.store.url.startswith("s3://") and not site.store.keeps_versions


@pytest.mark.behaviour(number=14)
def test_the_same_bytes_under_the_same_key_are_a_duplicate_without_rows(site):
    site.arrive("a.csv", "v1,3,2,1,done")
    site.put_rows("a.csv", "v1,3,2,1,done")
    site.discover()
    outcomes = [(outcome.state, outcome.read) for outcome in site.take()]
    # A bucket without versions shows no difference, so there is nothing to record.
    assert outcomes == ([] if names_bytes(site) else [("duplicate", 0)])
    assert site.states() == ["loaded", *(state for state, _ in outcomes)]
    assert site.visits() == ["v1"]


@pytest.mark.behaviour(number=15)
def test_new_bytes_under_the_same_key_replace_the_rows_and_the_old_version_stays_on_record(site):
    site.arrive("a.csv", "v1,3,2,1,done", "v2,3,2,1,done")
    site.arrive("a.csv", "v2,4,2,1,done", "v3,bad,2,1,done", "v4,3,2,1,done")
    old, new = site.drops()
    assert site.visits() == ["v2", "v4"]
    assert (old["state"], old["rows_loaded"], old["superseded_by"]) == ("superseded", 2, new["id"])
    assert (new["state"], new["rows_loaded"], new["rows_quarantined"]) == ("loaded", 2, 1)


@pytest.mark.behaviour(number=16)
def test_the_same_bytes_under_another_key_are_skipped_and_named(site):
    site.arrive("a.csv", "v1,3,2,1,done")
    assert site.arrive("b.csv", "v1,3,2,1,done").state == "duplicate"
    assert "the same bytes as drop 1 under another name" in site.drops()[1]["message"]


@pytest.mark.behaviour(number=16)
def test_a_contract_may_load_the_same_bytes_under_another_key_flagged(site):
    site.under(same_content="load", duplicates="keep").arrive("a.csv", "v1,3,2,1,done")
    assert site.arrive("b.csv", "v1,3,2,1,done").loaded == 1
    assert "although drop 1 has the same bytes" in site.drops()[1]["message"]


@pytest.mark.behaviour(number=15)
def test_going_back_to_earlier_bytes_loads_them_again(site):
    first, second = ("v1,3,2,1,done",), ("v2,3,2,1,done",)
    for rows in (first, second, first, second, first):
        site.arrive("a.csv", *rows)
    assert site.visits() == ["v1"]
    assert site.states() == [*["superseded"] * 4, "loaded"]
    assert site.discover() == 0


@pytest.mark.behaviour(number=15)
def test_bytes_that_return_before_the_ones_between_were_read_stay_current(site):
    site.arrive("a.csv", "v1,3,2,1,done")
    site.put_rows("a.csv", "v2,3,2,1,done")
    site.discover()
    site.put_rows("a.csv", "v1,3,2,1,done")
    site.discover()
    site.take()
    assert site.visits() == ["v1"]
    # A bucket without versions shows the version that is loaded; elsewhere the same bytes are a new one.
    assert site.states() == ["loaded", "superseded", *([] if names_bytes(site) else ["duplicate"])]


@pytest.mark.behaviour(number=15)
def test_bytes_never_read_before_they_were_replaced_are_read_when_they_return(site):
    for rows in ("v1,3,2,1,done", "v2,3,2,1,done"):
        site.put_rows("a.csv", rows)
        site.discover()
    site.take()
    assert site.visits() == ["v2"]
    site.arrive("a.csv", "v1,3,2,1,done")
    assert site.visits() == ["v1"]


@pytest.mark.behaviour(number=15)
def test_a_copy_that_was_skipped_is_loaded_once_what_it_copied_is_replaced(site):
    site.arrive("a.csv", "v1,3,2,1,done")
    assert site.arrive("b.csv", "v1,3,2,1,done").state == "duplicate"
    site.put_rows("a.csv", "v2,3,2,1,done")
    site.discover()
    site.take()
    assert site.visits() == ["v1", "v2"]


@pytest.mark.behaviour(number=15)
def test_an_object_that_becomes_a_copy_of_another_gives_up_its_old_rows(site):
    site.arrive("a.csv", "v1,3,2,1,done")
    site.arrive("b.csv", "v2,3,2,1,done")
    assert site.arrive("b.csv", "v1,3,2,1,done").state == "duplicate"
    assert site.visits() == ["v1"]
    assert site.states() == ["loaded", "superseded", "duplicate"]


@pytest.mark.behaviour(number=15)
def test_a_new_version_that_is_refused_leaves_the_old_rows_current(site):
    site.arrive("a.csv", "v1,3,2,1,done")
    outcome = site.arrive("a.csv", "v1,x,2,1,done", "v2,x,2,1,done")
    assert outcome.state == "quarantined"
    assert site.visits() == ["v1"]


@pytest.mark.behaviour(number=17)
def test_bytes_that_change_after_listing_are_ingested_as_the_new_version_only(site):
    site.put_rows("a.csv", "v1,3,2,1,done")
    site.discover()
    site.put_rows("a.csv", "v2,3,2,1,done")  # of the same length
    site.take()
    assert site.visits() == []
    site.discover()
    site.take()
    assert site.visits() == ["v2"]
    assert site.states() == ["superseded", "loaded"]


@pytest.mark.behaviour(number=19)
def test_an_object_gone_before_it_was_read_is_missing_after_bounded_attempts(site, monkeypatch):
    monkeypatch.setattr(worker, "FIRST_RETRY_WAIT", worker.FIRST_RETRY_WAIT / 100)
    key = site.put_rows("a.csv", "v1,3,2,1,done")
    site.discover()
    site.store.delete(key)
    (outcome,) = site.take()
    assert outcome.state == "missing"
    assert "attempted 3 times" in site.drops()[0]["message"]
    assert (site.discover(), site.take()) == (0, [])


@pytest.mark.behaviour(number=19)
def test_an_object_that_was_missing_is_ingested_when_it_returns(site, monkeypatch):
    monkeypatch.setattr(worker, "FIRST_RETRY_WAIT", worker.FIRST_RETRY_WAIT / 100)
    key = site.put_rows("a.csv", "v1,3,2,1,done")
    site.discover()
    site.store.delete(key)
    site.take()
    site.arrive("a.csv", "v1,3,2,1,done")
    assert site.visits() == ["v1"]
    assert site.states() == ["missing", "loaded"]


def test_redoing_a_drop_any_number_of_times_gives_the_same(site):
    site.arrive("a.csv", "v1,3,2,1,done", "v1,3,2,1,done", "v2,bad,2,1,done")
    before, aside = site.drops()[0], site.aside()
    for _ in range(2):
        assert [outcome.state for outcome in site.take(redo=True)] == ["loaded"]
    after = site.drops()[0]
    counts = [name for name in before if name.startswith("rows_")] + ["state", "sha256", "id"]
    assert [before[name] for name in counts] == [after[name] for name in counts]
    assert [(row["line"], row["kind"], row["raw"]) for row in site.aside()] == [
        (row["line"], row["kind"], row["raw"]) for row in aside
    ]


def test_redoing_a_drop_whose_object_is_gone_keeps_its_rows(site):
    key = site.put_rows("a.csv", "v1,3,2,1,done")
    site.discover()
    site.take()
    site.store.delete(key)
    assert site.take(redo=True) == []
    assert site.visits() == ["v1"]
    assert "not redone, rows kept" in site.drops()[0]["message"]


def test_redoing_a_drop_that_was_touched_reads_it_under_its_newest_version(site):
    for _ in range(2):
        site.put_rows("a.csv", "v1,3,2,1,done")
        site.discover()
        site.take()
    assert [outcome.state for outcome in site.take(redo=True)] == ["loaded"]
    assert site.visits() == ["v1"]


@pytest.fixture
def folder_site(home, database_url):
    with checked_site(open_store(Settings.from_environment()), database_url) as here:
        yield here


def left_alone(site, key):
    """The file of an object, as though it had been there for an hour: it is read where it lies."""
    file = site.folder() / key
    os.utime(file, (time.time() - 3600,) * 2)
    return file


def while_it_is_read(monkeypatch, change):
    """Have something done once the drop's records are found, and before they are read."""
    batches = Reader.batches

    def batches_after(reader, *most):
        change()
        return batches(reader, *most)

    monkeypatch.setattr(Reader, "batches", batches_after)


@pytest.mark.behaviour(number=17)
@pytest.mark.parametrize("rows", [["v2,3,2,1,done"], ["nothing like it"]], ids=["good", "unreadable"])
def test_a_file_written_to_while_it_is_read_is_ingested_as_its_new_version_only(folder_site, monkeypatch, rows):
    site = folder_site
    file = left_alone(site, site.put_rows("a.csv", "v1,3,2,1,done"))
    site.discover()
    with monkeypatch.context() as patched:
        while_it_is_read(patched, lambda: file.write_text("\n".join([HEADER, *rows])))
        assert [outcome.state for outcome in site.take()] == ["superseded"]
    assert (site.visits(), site.aside()) == ([], [])
    file.write_text("\n".join([HEADER, "v2,3,2,1,done", ""]))
    site.discover()
    site.take()
    assert site.visits() == ["v2"]


@pytest.mark.behaviour(number=19)
def test_a_file_removed_while_it_is_read_is_loaded(folder_site, monkeypatch):
    site = folder_site
    file = left_alone(site, site.put_rows("a.csv", "v1,3,2,1,done"))
    site.discover()
    while_it_is_read(monkeypatch, file.unlink)
    assert [outcome.state for outcome in site.take()] == ["loaded"]
    assert site.visits() == ["v1"]
