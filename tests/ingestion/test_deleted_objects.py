"""An object that somebody deletes, and what cannot be listed: recorded, without extra cost to a listing."""

from datetime import timedelta

import pytest

from lastmile.ingestion.discovery import listing
from lastmile.ingestion.discovery.listing import discover
from lastmile.ledger.presence import gone, unlisted
from lastmile.operations.retention.objects import clean
from lastmile.store import Denied

pytestmark = pytest.mark.every_store


def messages(site):
    return [event["message"] for event in site.query("SELECT message FROM ledger.events ORDER BY id")]


def gone_keys(site):
    return [drop["key"] for drop in gone(site.connection, site.store.url)]


def test_a_deleted_object_leaves_its_rows_and_is_recorded_once(site):
    key = site.put_rows("a.csv", "v1,3,2,1,done")
    site.put_rows("b.csv", "v2,3,2,1,done")
    site.discover()
    site.take()
    assert gone_keys(site) == []
    site.store.delete(key)
    site.discover()
    site.discover()
    assert gone_keys(site) == [key]
    assert site.visits() == ["v1", "v2"]
    assert site.states() == ["loaded", "loaded"]
    assert [message for message in messages(site) if message and "is gone from the landing area" in message] == [
        "its object is gone from the landing area, though no clean-up removed it; its rows stay"
    ]


def test_an_object_that_returns_is_no_longer_gone_and_not_loaded_twice(site):
    key = site.put_rows("a.csv", "v1,3,2,1,done")
    site.discover()
    site.take()
    body = site.store.read(key)
    site.store.delete(key)
    site.discover()
    site.put("a.csv", body)
    site.discover()
    site.take()
    assert site.visits() == ["v1"]
    site.store.delete(key)
    site.discover()
    assert key in gone_keys(site)


def test_one_that_came_while_another_went_hides_nothing(site):
    first = site.put_rows("a.csv", "v1,3,2,1,done")
    site.discover()
    site.take()
    site.store.delete(first)
    site.put_rows("b.csv", "v2,3,2,1,done")
    site.discover()
    assert gone_keys(site) == [first]


def test_what_clean_up_removes_is_no_surprise(site):
    site.put_rows("a.csv", "v1,3,2,1,done")
    site.discover()
    site.take()
    clean(site.connection, site.store, "visits", timedelta(0))
    site.discover()
    assert gone_keys(site) == []


def test_a_misrouted_object_that_is_deleted_leaves_nothing_to_decide(site):
    key = "landing/loose.csv"
    site.store.put(key, b"x")
    site.discover()
    site.store.delete(key)
    site.discover()
    (drop,) = site.drops()
    assert drop["gone_at"] is not None
    assert drop["discarded_at"] is not None
    site.store.put(key, b"x")
    site.discover()
    assert [drop["discarded_at"] for drop in site.drops() if drop["gone_at"] is None] == [None]


def test_a_listing_of_what_is_known_lists_once(site, monkeypatch):
    for number in range(3):
        site.put_rows(f"{number}.csv", f"v{number},3,2,1,done")
    site.discover()
    site.take()
    monkeypatch.setattr(listing, "_record_gone", lambda *_: pytest.fail("compared key by key"))
    site.discover()
    site.put_rows("0.csv", "v0,4,2,1,done")
    site.put_rows("new.csv", "v9,4,2,1,done")
    assert site.discover() == 2


class TestFolders:
    """Only folders have what cannot be listed."""

    def test_what_cannot_be_listed_is_recorded_while_it_is_so(self, site):
        if not site.store.url.startswith("file:"):
            pytest.skip("buckets have no links")
        site.put_rows("a.csv", "v1,3,2,1,done")
        link = site.folder() / "landing" / "visits" / "2020" / "hosts.csv"
        link.symlink_to("/etc/hosts")
        assert site.discover() == 1
        ((key, why, since),) = unlisted(site.connection, site.store.url)
        assert key == "landing/visits/2020/hosts.csv"
        assert why.startswith("a symbolic link to no file of the store")
        site.discover()
        assert unlisted(site.connection, site.store.url)[0][2] == since
        link.unlink()
        discover(site.connection, site.store, {"visits": site.contract}, "landing/visits/")
        assert unlisted(site.connection, site.store.url) == []

    def test_objects_in_a_folder_that_cannot_be_listed_any_more_are_not_gone(self, site, tmp_path):
        if not site.store.url.startswith("file:"):
            pytest.skip("buckets have no folders")
        site.put_rows("a.csv", "v1,3,2,1,done")
        site.discover()
        site.take()
        folder = site.folder() / "landing" / "visits" / "2020"
        folder.rename(tmp_path / "moved")
        folder.symlink_to(tmp_path / "moved")
        site.discover()
        assert gone_keys(site) == []
        assert [key for key, *_ in unlisted(site.connection, site.store.url)] == ["landing/visits/2020"]

    def test_a_file_that_may_never_be_read_fails_after_bounded_attempts_with_the_reason(self, site, monkeypatch):
        if not site.store.url.startswith("file:"):
            pytest.skip("buckets have no rights by file")
        monkeypatch.setattr("lastmile.ingestion.worker.FIRST_RETRY_WAIT", timedelta(0))
        site.put_rows("a.csv", "v1,3,2,1,done")
        site.put_rows("b.csv", "v2,3,2,1,done")
        site.discover()
        expect = type(site.store)._expect_readable

        def refuse(store, wanted):
            if wanted.key.endswith("a.csv"):
                raise Denied(f"cannot read {wanted.key}: Permission denied") from PermissionError(13, "denied")
            expect(store, wanted)

        monkeypatch.setattr(type(site.store), "_expect_readable", refuse)
        site.take()
        assert site.visits() == ["v2"]
        failed = next(drop for drop in site.drops() if drop["key"].endswith("a.csv"))
        assert failed["state"] == "failed"
        assert failed["message"].endswith("Permission denied (attempted 3 times)")
