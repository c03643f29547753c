"""All real drops through the real intake: every row accounted for, next to all of them loaded, none refused whole."""

import psycopg
import pytest

from lastmile.contracts import load_contracts
from lastmile.ingestion.discovery.listing import discover
from lastmile.ingestion.worker import ingest_pending
from lastmile.operations.audit import violations

ROWS = "SELECT dataset, sum(rows_read), sum(rows_loaded), sum(rows_quarantined), sum(rows_duplicate) FROM ledger.drops"


@pytest.fixture
def taken(shared_data, store, database_url):
    """A connection to the warehouse after the intake has worked through the 306 real files."""
    folder = shared_data / "household_rhomis"
    for file in folder.glob("*/*/*.csv"):
        year, survey = file.parts[-3].removeprefix("year="), file.parts[-2]
        store.put(f"landing/{file.stem}/{year}/{survey}/{file.name}", file)
    contracts = load_contracts("assets")
    with psycopg.connect(database_url, autocommit=True) as connection:
        discover(connection, store, contracts)
        for contract in contracts.values():
            ingest_pending(connection, store, contract, [str(year) for year in range(2015, 2020)], "a run")
            assert violations(connection, contract.name) == []
        yield connection


def test_every_real_row_is_loaded_but_a_handful_each_with_its_reasons(taken):
    found = {dataset: tuple(map(int, rows)) for dataset, *rows in taken.execute(ROWS + " GROUP BY dataset")}
    assert found == {
        "crop": (18422, 18402, 20, 0),
        "hhinfo": (2815, 2801, 14, 0),
        "lstk": (5306, 5306, 0, 0),
        "lstk_prod": (3728, 3724, 4, 0),
    }
    states = dict(taken.execute("SELECT state, count(*) FROM ledger.drops GROUP BY state").fetchall())
    assert set(states) == {"loaded"}
    (without_reason,) = taken.execute("SELECT count(*) FROM quarantine.rows WHERE reasons = '[]'").fetchone()
    assert without_reason == 0
