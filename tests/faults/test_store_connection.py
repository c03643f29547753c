"""A store that answers errors, is slow, disconnects or truncates: a drop is ingested whole, or not yet."""

import os

import psycopg
import pytest
from faults.proxy import FAULTS, Proxy
from visits import Site

from lastmile.errors import UserError
from lastmile.operations.audit import violations
from lastmile.settings import Settings
from lastmile.store import Changed, StoredObject, open_store
from lastmile.warehouse.tables import ensure_table

BODY = os.urandom(300_000)


@pytest.fixture
def proxy(s3_server):
    with Proxy(s3_server) as one:
        yield one


@pytest.fixture
def site(proxy, s3_store_url, home, database_url, monkeypatch):
    """A site whose store is behind the proxy."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
    monkeypatch.setenv("LASTMILE_STORE_URL", s3_store_url)
    with psycopg.connect(database_url, autocommit=True) as connection:
        here = Site(open_store(Settings.from_environment()), connection, database_url)
        ensure_table(connection, here.contract)
        yield here
        assert violations(connection, here.contract.name) == []


def always(proxy, *faults, only="GET"):
    proxy.faults, proxy.share, proxy.only = faults, 1.0, only


def test_a_store_behind_the_proxy_is_as_it_is_without(site, tmp_path):
    site.store.put("a/b.bin", BODY)
    (listed,) = site.store.list("a")
    site.store.fetch(listed, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == BODY
    with pytest.raises(FileExistsError):
        site.store.put("a/b.bin", b"", create_only=True)
    site.store.delete("a/b.bin")
    assert not site.store.exists("a/b.bin")


@pytest.mark.parametrize("fault", FAULTS)
def test_what_was_fetched_is_whole_or_the_fetch_has_failed(site, proxy, tmp_path, fault):
    site.store.put("a.bin", BODY)
    (listed,) = site.store.list("")
    proxy.faults, proxy.share, proxy.only = (fault,), 0.6, "GET"
    for number in range(5):
        copy = tmp_path / str(number)
        try:
            site.store.fetch(StoredObject(listed.key, listed.size, listed.version, listed.modified_at), copy)
        except (UserError, Changed):
            continue
        assert copy.read_bytes() == BODY
    assert proxy.happened[fault]


@pytest.mark.parametrize("fault", ["503", "reset", "cut body", "short body"])
@pytest.mark.behaviour(number=17)
def test_a_drop_whose_bytes_are_truncated_waits_with_no_attempt_counted(site, proxy, fault):
    site.put_rows("a.csv", *(f"v{number:04},3,2,1,done" for number in range(2000)))
    site.discover()
    always(proxy, fault, only="GET /")
    with pytest.raises(UserError):
        site.take()
    (waiting,) = site.drops()
    assert (waiting["state"], waiting["attempts"], waiting["claim"], site.visits()) == ("discovered", 0, None, [])
    proxy.calm()
    site.query("UPDATE ledger.drops SET not_before = now() RETURNING id")
    assert [outcome.loaded for outcome in site.take()] == [2000]


def test_a_parquet_file_that_cannot_be_published_leaves_no_rows(site, proxy):
    site.put_rows("a.csv", "v1,3,2,1,done")
    site.discover()
    always(proxy, "500", only="PUT")
    with pytest.raises(UserError):
        site.take()
    assert (site.states(), site.visits()) == (["discovered"], [])
    proxy.calm()
    site.query("UPDATE ledger.drops SET not_before = now() RETURNING id")
    site.take()
    assert site.cleaned() == site.visits() == ["v1"]


def test_a_listing_that_breaks_off_enters_nothing_wrong_and_the_next_one_all(site, proxy):
    for number in range(30):
        site.put_rows(f"{number}.csv", f"v{number},3,2,1,done")
    always(proxy, "short body", "cut body", "reset", only="list-type")
    with pytest.raises(UserError):
        site.discover()
    proxy.calm()
    site.discover()
    assert len(site.take()) == 30
