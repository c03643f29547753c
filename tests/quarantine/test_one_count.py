"""What is quarantined is one number, whoever counts it: status, quarantine list and show, the report, the API, SQL."""

import json
import random
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from lastmile.cli.app import app
from lastmile.ingestion.correction import correct
from lastmile.ledger.query import rows_by_folder
from lastmile.ledger.state import undecided
from lastmile.operations.status import summary
from lastmile.quarantine import query
from lastmile.quarantine.corrections import Correction
from lastmile.quarantine.discard import discard, discardable
from lastmile.quarantine.query import Selection
from lastmile.quarantine.release import releasable, release

ROWS = ("v{},3,2,1,done", "v{},60,2,1,done", "v{},3,2,1,gone", "v1,3,2,1,done")
STEPS = 12


@pytest.mark.parametrize("seed", range(4))
def test_all_counts_agree_whatever_happened_before(site, seed):
    dice = random.Random(seed)
    steps = [arrives, arrives, is_corrected, is_released, rows_are_discarded, a_drop_is_discarded, is_redone]
    arrives(site, dice)
    for _ in range(STEPS):
        dice.choice(steps)(site, dice)
        assert disagreements(site) == []


def disagreements(site):
    """Pairs of numbers that should be one, by name."""
    here, selected = (site.connection, site.store.url), Selection(store=site.store.url)
    found, every = (
        query.totals(site.connection, selected),
        query.totals(site.connection, replace(selected, discarded=True)),
    )
    state, of_report = summary(*here), rows_by_folder(*here, [site.contract.name])
    whole = site.query("SELECT * FROM ledger.drops WHERE state = 'quarantined'")
    ((view,),) = site.connection.execute(
        "SELECT count(*) FROM quarantine.undecided_rows WHERE state = 'loaded' AND kind = 'bad'"
    ).fetchall()
    pairs = {
        "undecided, status and quarantine": (state["undecided"], {"rows": found.rows, "drops": found.drops}),
        "undecided, all datasets and the only one": (state["undecided"], state["datasets"]["visits"]["undecided"]),
        "undecided, status and quarantine list --json": (state["undecided"], undecided(*here, None, None)),
        "undecided, quarantine and SQL": (found.rows, view),
        "listed rows": (found.listed, len(query.rows(site.connection, selected, 10_000))),
        "listed drops": (found.drops, len(query.drops(site.connection, selected, None))),
        "quarantined": (every.rows + sum(drop["rows_read"] for drop in whole), state["rows"]["quarantined"]),
        "duplicate": (every.duplicates, state["rows"]["duplicate"]),
        **{name: (sum(row[name] for row in of_report), state["rows"][name]) for name in state["rows"]},
    }
    return [(name, *pair) for name, pair in pairs.items() if pair[0] != pair[1]]


def arrives(site, dice):
    """A new file, or a new version of one; sometimes with so many bad rows that the whole drop is quarantined."""
    name, rows = f"{dice.randrange(4)}.csv", dice.choices(ROWS, weights=(dice.choice((1, 8)), 1, 1, 1), k=6)
    site.put_rows(name, *(row.format(dice.randrange(100)) for row in rows), year=dice.choice(("2020", "2021")))
    site.discover()
    site.take()


def is_redone(site, dice):
    site.take(redo=True)


def is_released(site, dice):
    chosen = releasable(site.connection, Selection(discarded=dice.random() < 0.5))
    release(site.connection, chosen.rows, chosen.drops)
    site.take()


def rows_are_discarded(site, dice):
    chosen = discardable(site.connection, Selection(column=dice.choice(("persons", "outcome", "visit"))))
    discard(site.connection, chosen.rows, chosen.drops, "a trial")


def a_drop_is_discarded(site, dice):
    for drop in query.drops(site.connection, Selection(), 1):
        discard(site.connection, {}, [drop["id"]], "a trial")


def is_corrected(site, dice):
    rows = [row for row in query.rows(site.connection, Selection(column="persons"), 1) if row["kind"] == "bad"]
    changes = [Correction(row["drop_id"], row["line"], {"persons": "5"}, None) for row in rows]
    correct(site.connection, site.store, {"visits": site.contract}, changes, "amina", "called them")
    site.take()


def test_the_commands_print_that_number(site, monkeypatch):
    monkeypatch.setenv("LASTMILE_DATABASE_URL", site.database_url)
    monkeypatch.setenv("LASTMILE_STORE_URL", site.store.url)
    site.arrive("a.csv", "v1,3,2,1,done", "v2,3,2,1,done", "v3,60,2,1,done", "v1,3,2,1,done")
    site.arrive("b.csv", "w1,60,2,1,done", "w2,60,2,1,done", year="2021")

    def printed(*arguments):
        return CliRunner().invoke(app, arguments, env={"COLUMNS": "160"}, catch_exceptions=False).stdout

    number = "1 row and 1 whole drop"
    assert f"undecided  {number}: see" in printed("status")
    assert f"quarantined: {number} with 2 bad rows, 1 duplicate; a row may break several" in printed(
        "quarantine", "list"
    )
    assert f"quarantined: {number} with 2 bad rows, 1 duplicate; all shown" in printed("quarantine", "show")
    assert "2 of 4 rows shown" in printed("quarantine", "show", "--limit", "2")
    assert json.loads(printed("quarantine", "list", "--json"))["undecided"] == {"rows": 1, "drops": 1}
    assert json.loads(printed("quarantine", "show", "--json"))["totals"] == {
        "rows": 1, "duplicates": 1, "rows_of_drops": 2, "drops": 1
    }  # fmt: skip


def test_quarantined_rows_are_readable_in_a_terminal_of_80_columns(site, monkeypatch):
    monkeypatch.setenv("LASTMILE_DATABASE_URL", site.database_url)
    monkeypatch.setenv("LASTMILE_STORE_URL", site.store.url)
    long = "x" * 70
    site.put_rows("a/rather/deep/folder/of/a/survey/a.csv", "v1,3,2,1,done", f"{long},60,2,1,done", "v3,3,2,1,done")
    site.discover()
    site.take()
    shown = CliRunner().invoke(app, ["quarantine", "show"], env={"COLUMNS": "80"}, catch_exceptions=False).stdout
    assert max(map(len, shown.splitlines())) <= 80
    assert "persons: expected at most 50; found '60'" in shown
    assert f"{long}" in shown.replace("\n", "").replace(" ", "")
