"""dbt's sources are the contracts: nothing more, nothing less, nothing to edit twice."""

import shutil
from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
import yaml
from checkout import DBT_PROJECT
from declaring import changed, dataset

from lastmile.catalogue.brought import brought, declared_tables
from lastmile.cli.dbt_sources import dbt_sources
from lastmile.contracts import Partition, column
from lastmile.errors import UserError
from lastmile.orchestration.dbt.assets import usable_warehouse
from lastmile.sources import Changes, Setting
from lastmile.sources.changes.tables import Tables
from lastmile.streaming import Stream
from lastmile.warehouse.dbt.project import prepared
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


def test_the_committed_file_agrees_with_the_contracts_and_what_streams_and_followed_databases_bring(contracts):
    tables = declared_tables("assets", contracts)
    assert tables["windows"]
    assert tables["changes"]
    assert are_current(contracts, DBT_PROJECT, tables), "run `lastmile dbt-sources` and commit the file"


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


def test_what_follows_a_database_is_a_source_with_the_columns_and_types_of_its_tables(warehouse):
    contract = changed(SALES, key=("customer",))
    followed = {"url": Setting("LASTMILE_SOURCE_SHOP"), "table": "sales", "description": "", "owner": "team:shop"}
    source = Changes(name="sales_now", dataset="sales", **followed)
    stream = Stream(
        name="sales_sent", description="", owner="team:shop", topic="sales", contract="sales", format="debezium",
        lands=False,
    )  # fmt: skip
    tables = brought({source.name: source}, {stream.name: stream}, {"sales": contract})
    _, written = yaml.safe_load(sources_yaml({"sales": contract}, brought=tables))["sources"]
    assert written["name"] == "changes"
    assert [table["name"] for table in written["tables"]] == [
        f"{name}{suffix}" for name in ("sales_now", "sales_sent") for suffix in ("", "_history", "_images")
    ]
    for name in (source.name, stream.name):
        Tables(name, contract).ensure(warehouse.connection)
    for table in written["tables"]:
        found = warehouse.select(
            "SELECT column_name::text, data_type::text FROM information_schema.columns"
            f" WHERE table_schema = 'changes' AND table_name = '{table['name']}' ORDER BY ordinal_position"
        )
        assert found == [(column["name"], column["data_type"]) for column in table["columns"]]
    columns = [column for table in written["tables"] for column in table["columns"]]
    personal = {column["name"] for column in columns if column.get("config", {}).get("meta", {}).get("personal")}
    assert personal == {"customer", "_key", "key", "before", "after", "image"}
    assert {tuple(table["config"]["meta"]["dagster"]["asset_key"]) for table in written["tables"]} == {
        ("sources", "sales_now"), ("streams", "sales_sent"),
    }  # fmt: skip


def test_a_model_on_a_followed_database_comes_after_its_source_in_dagster(tmp_path, settings, contracts):
    project = shutil.copytree(DBT_PROJECT, tmp_path / "dbt_project")
    (project / "models" / "staging" / "stg_stock_change.sql").write_text(
        "select change.op, stock.quantity from {{ source('changes', 'retail_stock_history') }} as change"
        " left join {{ source('changes', 'retail_stock') }} as stock on stock._key = change.key"
    )
    folder = prepared(settings, contracts, project, brought=declared_tables("assets", contracts))
    made, broken = usable_warehouse(contracts, folder)
    assert broken == []
    (deps,) = [one.asset_deps[key] for one in made for key in one.keys if key.path[-1] == "stg_stock_change"]
    assert {tuple(key.path) for key in deps} == {("sources", "retail_stock")}


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
