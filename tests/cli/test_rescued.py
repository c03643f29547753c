"""`lastmile rescued`: what no column could hold is listed, and filled in on request."""

import json

import psycopg
import pytest
from commands import Commands
from declaring import dataset
from visits import VISITS, YEARS, Site

from lastmile.contracts import column
from lastmile.contracts import loading as contracts
from lastmile.errors import UserError
from lastmile.ingestion.schema_evolution.rescued_values import rescued_names
from lastmile.ingestion.worker import ingest_pending
from lastmile.warehouse.tables import ensure_table

COMMANDS = Commands("rescued")
run, said = COMMANDS.run, COMMANDS.said


@pytest.fixture
def site(settings, store, database_url, monkeypatch):
    """Two drops that brought a column `Wind (km/h)` and one of them a column `Mood`."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        here = Site(store, connection, database_url)
        ensure_table(connection, VISITS)
        here.put("a.csv", "visit,Wind (km/h),Mood\nv1,20,good\nv2,x,\n")
        here.put("b.csv", "visit,Wind (km/h)\nv3,7\n", year="2021")
        here.discover()
        here.take()
        monkeypatch.setattr(contracts, "load_contracts", lambda _: {"visits": here.contract})
        yield here


def declare_wind(site):
    site.under(columns={**VISITS.columns, "wind_kmh": column(float, "Wind.", aliases=("Wind (km/h)",))})


@pytest.mark.parametrize("command", ["list", "fill"])
def test_every_help_has_an_example(command):
    assert f"Example: lastmile rescued {command}" in " ".join(said(command, "--help").split())


def test_names_rows_examples_and_the_column_by_now_are_listed(site):
    assert "not declared" in said("list")
    declare_wind(site)
    listed = json.loads(said("list", "--dataset", "visits", "--json"))["visits"]
    assert listed == [
        {"name": "Wind (km/h)", "column": "wind_kmh", "drops": 2, "rows": 3, "examples": ["20", "x"]},
        {"name": "Mood", "column": None, "drops": 1, "rows": 1, "examples": ["good"]},
    ]
    assert "lastmile rescued fill --dataset visits" in said("list")


@pytest.mark.behaviour(number=21)
def test_a_column_fill_is_carried_out_by_the_next_run(site):
    declare_wind(site)
    assert "column fill requested for 2 drops" in said("fill", "--dataset", "visits", "--no-wait")
    ingest_pending(site.connection, site.store, site.contract, YEARS, "run")
    assert site.query("SELECT wind_kmh, _rescued FROM raw.visits ORDER BY visit") == [
        {"wind_kmh": 20.0, "_rescued": {"Mood": "good"}},
        {"wind_kmh": None, "_rescued": {"Wind (km/h)": "x"}},
        {"wind_kmh": 7.0, "_rescued": None},
    ]


def test_a_dataset_with_nothing_to_fill_in_says_so(site):
    assert "nothing to fill in" in said("fill", "--dataset", "visits")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dataset", "visit"], "no dataset 'visit'; there are: visits"),
        (["--dataset", "visits", "--column", "wind"], "has no column 'wind': declare it there first"),
        (["--dataset", "visits", "--column", "visit"], "part of the key of visits"),
    ],
)
def test_a_mistake_is_reported_with_what_to_do(site, arguments, message):
    result = run("fill", *arguments)
    assert isinstance(result.exception, UserError)
    assert message in str(result.exception)


def test_a_table_may_have_columns_called_name_and_value(site):
    contract = dataset(
        partition=VISITS.partition, columns={"name": column(str, "Name."), "value": column(str, "Value.")}, name="named"
    )
    ensure_table(site.connection, contract)
    assert rescued_names(site.connection, contract) == []
