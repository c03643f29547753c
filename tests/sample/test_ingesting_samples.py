"""The real intake, given a sample with every fault, ends with exactly the counts that the sample states."""

from collections import Counter, defaultdict

import psycopg
import pytest

from lastmile.contracts import load_contracts
from lastmile.ingestion.discovery.listing import discover
from lastmile.ingestion.worker import ingest_pending
from lastmile.operations.audit import violations
from lastmile.store.landing import LANDING

COUNTS = "SELECT key, state, rows_read, rows_loaded, rows_quarantined, rows_duplicate FROM ledger.drops"


@pytest.fixture
def ingested(dirty, store, database_url):
    """A connection to the warehouse after the intake has worked through the dirty sample."""
    folder, truth = dirty
    for drop in truth.drops:
        store.put(LANDING + drop.key, folder / drop.key)
    contracts = load_contracts("assets")
    with psycopg.connect(database_url, autocommit=True) as connection:
        discover(connection, store, contracts)
        for contract in contracts.values():
            ingest_pending(connection, store, contract, [str(year) for year in range(2019, 2024)], "a run")
            assert violations(connection, contract.name) == []
        yield connection


def test_every_drop_ends_with_the_counts_stated(dirty, ingested):
    stated, found = defaultdict(list), defaultdict(list)
    for drop in dirty[1].drops:
        stated[place(drop.key)].append((drop.state, drop.read, drop.loaded, drop.quarantined, drop.duplicate))
    for key, *counts in ingested.execute(COUNTS):
        found[place(key.removeprefix(LANDING))].append(tuple(counts))
    wrong = {key: (found[key], stated[key]) for key in stated if sorted(found[key]) != sorted(stated[key])}
    assert wrong == {}
    assert found.keys() == stated.keys()


def place(key):
    """The folder of a drop: of two drops with the same bytes in it, either may be ingested first."""
    return key.rpartition("/")[0]


def test_faults_of_one_kind_are_named_as_such(dirty, ingested):
    found = ingested.execute(
        "SELECT reason->>'rule', count(*) FROM quarantine.rows, jsonb_array_elements(reasons) reason"
        " WHERE kind = 'bad' GROUP BY 1"
    )
    rules = Counter(dict(found.fetchall()))
    placed = sum((Counter(drop.dirt) for drop in dirty[1].drops), Counter())
    assert rules["type"] == placed["wrong_type"]
    assert rules["at_least"] + rules["at_most"] + rules["within_yield"] == placed["out_of_range"], rules
    assert rules["required"] == placed["missing_required"]


def test_an_undeclared_column_is_kept_with_the_row(dirty, ingested):
    with_note = sum(d.loaded for d in dirty[1].drops if d.dataset == "hhinfo" and "unknown_columns" in d.dirt)
    (kept,) = ingested.execute(
        "SELECT count(*) FROM raw.hhinfo WHERE _rescued->>'interviewer_note' = 'vérifié au téléphone'"
    ).fetchone()
    assert kept == with_note > 0


def test_accents_survive_every_encoding(ingested):
    villages = {name for (name,) in ingested.execute("SELECT DISTINCT sublocation FROM raw.hhinfo")} - {None}
    assert villages >= {"bouaké", "são_tomé", "thiès"}
    assert all("\ufffd" not in name and "Ã" not in name for name in villages)
