"""dbt's sources are the contracts: nothing more, nothing less, nothing to edit twice."""

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
import yaml
from checkout import DBT_PROJECT
from declaring import dataset

from lastmile.cli.dbt_sources import dbt_sources
from lastmile.contracts import Partition, column
from lastmile.errors import UserError
from lastmile.streaming.dbt_sources import window_sources
from lastmile.streaming.declarations.loading import load_streams
from lastmile.warehouse.dbt.sources import SOURCES, are_current, sources_yaml, write_sources
from lastmile.warehouse.tables import ensure_table

SALES = dataset(
    name="sales",
    description="Lines of invoices.",
    owner="team:shop",
    partition=Partition("day", start=date(2010, 12, 1)),
    expected_every=timedelta(hours=36),
    columns={
        "customer": column(str, "Buyer.", personal=True),
        "price": column(float, "Price of a piece.", unit="GBP", measures="revenue"),
        "sold_at": column(datetime, "When it was sold."),
    },
)


def table(contract):
    (source,) = yaml.safe_load(sources_yaml({contract.name: contract}))["sources"]
    (only,) = source["tables"]
    return only


def test_the_committed_file_agrees_with_the_contracts_and_the_windows_of_streams(contracts):
    windows = window_sources(load_streams("assets", contracts), contracts)
    assert are_current(contracts, DBT_PROJECT, windows), "run `lastmile dbt-sources` and commit the file"


def test_a_column_says_its_type_unit_privacy_and_what_it_measures():
    columns = {column["name"]: column for column in table(SALES)["columns"]}
    assert columns["price"] == {
        "name": "price",
        "data_type": "double precision",
        "description": "Price of a piece. Unit: GBP.",
        "config": {"meta": {"unit": "GBP", "measures": "revenue"}},
    }
    assert columns["customer"]["config"] == {"meta": {"personal": True}}
    assert "config" not in columns["sold_at"]


def test_a_table_says_who_owns_it_how_fresh_it_is_and_which_asset_it_is():
    config = table(SALES)["config"]
    assert config["meta"]["owner"] == "team:shop"
    assert config["meta"]["dagster"]["asset_key"] == ["cleaned", "sales"]
    assert config["loaded_at_field"] == "_loaded_at"
    assert config["freshness"] == {"warn_after": {"count": 36 * 60, "period": "minute"}}


def test_a_source_has_exactly_the_columns_of_its_table(warehouse, contracts):
    ensure_table(warehouse.connection, SALES)
    for contract in (*contracts.values(), SALES):
        found = warehouse.select(
            f"SELECT column_name::text, data_type::text FROM information_schema.columns"
            f" WHERE table_schema = 'raw' AND table_name = '{contract.name}' ORDER BY ordinal_position"
        )
        assert found == [(column["name"], column["data_type"]) for column in table(contract)["columns"]]


def test_the_file_is_written_whole_and_known_to_be_behind_when_a_contract_changes(tmp_path):
    assert not are_current({"sales": SALES}, tmp_path)
    file = write_sources({"sales": SALES}, tmp_path)
    assert file == tmp_path / SOURCES
    assert are_current({"sales": SALES}, tmp_path)
    assert not are_current({"sales": replace(SALES, description="Lines.")}, tmp_path)
    assert [path.name for path in file.parent.iterdir()] == ["_sources.yml"]


def test_the_check_names_the_command_that_writes_the_file_and_writes_nothing(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text("[tool.lastmile]\n")
    monkeypatch.setenv("LASTMILE_PROJECT", str(tmp_path))
    with pytest.raises(UserError, match="run `lastmile dbt-sources`"):
        dbt_sources(check=True)
    assert not (tmp_path / "dbt_project").exists()
    dbt_sources(check=False)
    dbt_sources(check=True)
