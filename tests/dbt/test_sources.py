"""dbt's sources are the contracts: nothing more, nothing less, nothing to edit twice."""

from datetime import date, datetime, timedelta

import yaml
from declaring import dataset

from lastmile.contracts import Partition, column
from lastmile.settings import PROJECT
from lastmile.warehouse.dbt.project import SOURCES
from lastmile.warehouse.dbt.sources import sources_yaml, write_sources
from lastmile.warehouse.tables import ensure_table

#: Read before any test runs: loading the code location brings the file up to date.
COMMITTED = (PROJECT / "dbt_project" / SOURCES).read_text()
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


def test_the_committed_file_agrees_with_the_contracts(contracts):
    assert sources_yaml(contracts) == COMMITTED, "import assets.definitions once and commit the file"


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


def test_the_file_is_written_when_it_differs_and_left_alone_when_not(tmp_path):
    file = tmp_path / "_sources.yml"
    assert write_sources({"sales": SALES}, file)
    written = file.stat().st_mtime_ns
    assert not write_sources({"sales": SALES}, file)
    assert file.stat().st_mtime_ns == written
    assert write_sources({}, file)
    assert [path.name for path in tmp_path.iterdir()] == ["_sources.yml"]
