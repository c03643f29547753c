"""`lastmile source`: what is fetched, fetching it, and looking at what would come."""

import json
from collections.abc import Iterator

import pytest
from commands import Commands
from community import made, serve
from rest_server import Api, Reply, api_server

from lastmile.ingestion.draft.check import contract_of
from lastmile.sources.rest import client

SOURCE = Commands("source")


@pytest.fixture
def api(settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """A community of three users, at the address that its sources are given."""
    monkeypatch.setattr(client, "_FIRST_WAIT", 0.01)
    with api_server() as one:
        monkeypatch.setenv("LASTMILE_SOURCE_COMMUNITY_URL", one.url)
        serve(one, made(posts=[2, 1, 0], comments=[3, 1, 0]))
        yield one


def test_the_list_shows_each_source_and_how_its_last_run_went(api):
    SOURCE.said("run", "posts")
    lines, names = SOURCE.said("list").splitlines(), ["comments", "posts", "users", "retail_stock"]
    assert [line.split()[0] for line in lines[1:]] == names
    assert "landed" in lines[2]
    assert "never" in lines[1]
    assert [one["name"] for one in json.loads(SOURCE.said("list", "--json"))] == names


def test_a_run_lands_what_came_and_the_history_shows_it(api, store):
    said = SOURCE.said("run", "users")
    (landed,) = store.list("landing/users")
    assert "users: 3 records" in said
    assert f"landed as {landed.key}" in said
    shown = json.loads(SOURCE.said("show", "users", "--json"))
    assert (shown["dataset"], shown["runs"][0]["records"], shown["runs"][0]["state"]) == ("users", 3, "landed")


def test_a_dry_run_shows_the_first_rows_and_the_verdict_and_lands_nothing(api, store):
    records = made(posts=[1] * 3, comments=[1])
    records["users"][1]["email"] = "nowhere"
    records["users"][2]["nickname"] = "[red]x[/red]"
    serve(api, records)
    said = SOURCE.said("run", "users", "--dry-run")
    assert "Person 1" in said
    assert {"id", "username", "email", "address"} <= set(said.splitlines()[1].split())  # whatever the terminal's width
    assert "contract users: 2 of 3 rows are good" in said
    assert "  1 rows: email" in said
    assert "'nowhere'" in said
    assert "nickname" in said
    assert list(store.list("landing/")) == []
    assert json.loads(SOURCE.said("show", "users", "--json"))["runs"] == []


def test_a_dry_run_says_where_the_drop_would_be_quarantined_whole(api):
    api.serve("/users", [{"id": 1}])
    assert "the drop would be quarantined whole: " in SOURCE.said("run", "users", "--dry-run")


def test_a_dry_run_looks_at_no_more_than_it_may(api):
    found = json.loads(SOURCE.said("run", "posts", "--dry-run", "--rows", "2", "--json"))
    assert (found["records"], found["rows"]) == (2, 2)


def test_what_happened_on_the_way_is_said(api):
    api.next.append(Reply(b"", 503))
    SOURCE.said("run", "users")
    assert "page 1: 503 Service Unavailable" in SOURCE.said("show", "users")


def test_mistakes_are_named(api):
    assert "there is no source 'user'; there are: comments, posts, users" in SOURCE.mistake("run", "user")
    assert "fetches everything each time" in SOURCE.mistake("run", "users", "--since", "2026-01-01")
    api.routes.clear()
    assert "answers 404 Not Found" in SOURCE.mistake("run", "users")


def test_a_contract_is_drafted_from_a_source_whose_records_load_with_it(api):
    text = Commands("contract").said("draft", "--source", "users", "--name", "people")
    contract = contract_of(text)
    assert contract.name == "people"
    assert {"username", "address", "company"} <= set(contract.columns)
    assert contract.partition.unit == "day"
    assert "give one of them" in Commands("contract").mistake("draft", "a.csv", "--source", "users")
    assert "expected files" in Commands("contract").mistake("draft")
