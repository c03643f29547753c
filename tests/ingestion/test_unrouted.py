"""Files that fit no contract: in one place, with the reason and what they may be, and moved by one command."""

import json

import pytest

from lastmile.cli import unrouted as command
from lastmile.contracts import loading
from lastmile.errors import UserError
from lastmile.ingestion.discovery.unrouted import move, nearest, planned
from lastmile.ledger.unrouted import unrouted
from lastmile.operations.status import datasets, summary

BODY = b"visit,persons,hours,travel_hours,outcome\nv1,3,2,1,done\n"
MISROUTED = (
    "landing/loose.csv",
    "landing/visits/no_partition.csv",
    "landing/visit/2020/a.csv",
    "landing/visits/1999/early.csv",
    "landing/visits/twenty/b.csv",
    "landing/nothing_like_it/2020/deep/er/c.csv",
)


@pytest.fixture
def misrouted(site):
    site.arrive("good.csv", "v0,3,2,1,done")
    for key in MISROUTED:
        site.store.put(key, BODY)
    site.discover()
    return site


def keys(site):
    return [one.key for one in unrouted(site.connection, site.store.url)]


def contracts(site):
    return {"visits": site.contract}


def test_all_of_them_are_in_one_place_with_the_reason(misrouted):
    assert keys(misrouted) == sorted(MISROUTED)
    why = {one.key: one.message for one in unrouted(misrouted.connection, misrouted.store.url)}
    assert "expected landing/<dataset>/<partition>/<file>" in why["landing/loose.csv"]
    assert "no contract for dataset 'visit'" in why["landing/visit/2020/a.csv"]
    assert "'1999' is outside 2015 to" in why["landing/visits/1999/early.csv"]
    assert "'twenty' is not a year" in why["landing/visits/twenty/b.csv"]


def test_they_are_no_datasets_and_no_failures_of_one(misrouted):
    found = datasets(misrouted.connection, misrouted.store.url)
    assert list(found) == ["visits"]
    assert found["visits"]["drops"] == {"loaded": 1}
    assert found["visits"]["failures"] == 0
    assert summary(misrouted.connection, misrouted.store.url)["drops"] == {"loaded": 1}


def test_the_dataset_most_like_the_name_is_offered(misrouted):
    like = {one.key: nearest(one, contracts(misrouted)) for one in unrouted(misrouted.connection, misrouted.store.url)}
    assert like["landing/visit/2020/a.csv"] == "visits"
    assert like["landing/nothing_like_it/2020/deep/er/c.csv"] is None


def test_moved_files_are_ingested_and_no_longer_unrouted(misrouted):
    wrong = ["landing/visit/2020/a.csv", "landing/nothing_like_it/2020/deep/er/c.csv"]
    moves = planned(misrouted.connection, misrouted.store, contracts(misrouted), wrong, "visits/2021")
    assert list(moves.values()) == ["landing/visits/2021/a.csv", "landing/visits/2021/deep/er/c.csv"]
    assert move(misrouted.connection, misrouted.store, moves) == 2
    assert keys(misrouted) == sorted(set(MISROUTED) - set(wrong))
    assert misrouted.discover() == 2
    misrouted.take()
    assert misrouted.visits() == ["v0", "v1"]
    said = misrouted.query("SELECT message FROM ledger.events WHERE message LIKE 'moved to%%' ORDER BY id")
    assert [event["message"] for event in said] == [f"moved to {target}" for target in moves.values()]


@pytest.mark.parametrize(
    ("wrong", "to", "said"),
    [
        ("landing/loose.csv", "visits", "expected <dataset>/<partition>"),
        ("landing/loose.csv", "visit/2020", "no dataset 'visit'; there are: visits"),
        ("landing/loose.csv", "visits/1999", "'1999' is outside 2015 to"),
        ("landing/visits/2020/good.csv", "visits/2020", "is not unrouted; `lastmile unrouted list` shows what is"),
        ("landing/visits/twenty/b.csv", "visits/2020", "there is an object landing/visits/2020/b.csv already"),
    ],
)
def test_a_mistake_moves_nothing(misrouted, wrong, to, said):
    misrouted.store.put("landing/visits/2020/b.csv", BODY)
    with pytest.raises(UserError) as error:
        planned(misrouted.connection, misrouted.store, contracts(misrouted), ["landing/loose.csv", wrong], to)
    assert said in str(error.value)
    assert keys(misrouted) == sorted(MISROUTED)


def test_the_commands_list_show_and_move(misrouted, capsys, monkeypatch):
    monkeypatch.setenv("LASTMILE_DATABASE_URL", misrouted.database_url)
    monkeypatch.setattr(loading, "load_contracts", lambda assets: contracts(misrouted))
    command.list_unrouted()
    listed = capsys.readouterr().out
    assert "perhaps visits: lastmile unrouted move 'landing/visit/2020/a.csv' --to visits/<partition>" in listed
    command.list_unrouted(as_json=True)
    assert {one["key"] for one in json.loads(capsys.readouterr().out)} == set(MISROUTED)
    command.move(["landing/loose.csv"], to="visits/2020", dry_run=True)
    assert capsys.readouterr().out == "landing/loose.csv -> landing/visits/2020/loose.csv\n"
    assert "landing/loose.csv" in keys(misrouted)
    command.move(["landing/loose.csv"], to="visits/2020")
    assert "moved 1 of 1" in capsys.readouterr().out
    assert misrouted.store.exists("landing/visits/2020/loose.csv")
    assert not misrouted.store.exists("landing/loose.csv")
