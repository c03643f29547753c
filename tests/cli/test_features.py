"""`lastmile features`: what there is to learn from, and its rows as they were known on a day, without a platform."""

import io
import json
from datetime import date

import pandas as pd
import pytest
from commands import Commands

from lastmile.errors import UserError
from lastmile.learning import read_features
from lastmile.learning.features.building import stored
from lastmile.learning.features.reading import feature_sets

COMMANDS = Commands("features", columns=200)
run, said = COMMANDS.run, COMMANDS.said


@pytest.fixture
def customers(store):
    """Two months of one customer, who bought again after the first and after the second, as the asset keeps them."""
    known = {"customer_id": [1], "country": ["eire"], "days_since_last_order": [3.0], "buys_again": ["yes"]}
    frame = stored(feature_sets()["customer_repurchase"].features)
    for month in ("2011-01", "2011-02"):
        rows = pd.DataFrame({**known, "snapshot_month": [month], "partition_start": [pd.Timestamp(f"{month}-01")]})
        body = io.BytesIO()
        rows.to_parquet(body)
        store.put(frame.key(month), body.getvalue())


def test_the_list_says_what_a_row_is_and_which_partitions_there_are(customers):
    sets = {one["name"]: one for one in json.loads(said("list", "--json"))}
    shop = sets["customer_repurchase"]
    assert (shop["entity"], shop["targets"]) == (["customer_id", "snapshot_month"], ["buys_again"])
    assert shop["partitions"] == ["2011-01", "2011-02"]
    assert sets["household_vulnerability"]["partitions"] == []
    assert "2, 2011-01 to 2011-02" in said("list")


@pytest.mark.parametrize("name", ["rows.parquet", "rows.csv"])
def test_the_rows_known_on_a_day_are_written_to_a_file(customers, tmp_path, name):
    file = tmp_path / name
    shown = said("load", "customer_repurchase", "--as-of", "2011-02-01", "--output", str(file))
    rows = pd.read_parquet(file) if name.endswith("parquet") else pd.read_csv(file)
    assert rows["snapshot_month"].tolist() == ["2011-01", "2011-02"]
    assert rows["buys_again"].fillna("not yet").tolist() == ["yes", "not yet"]
    assert f"2 rows, 6 columns known on 2011-02-01 are in {file}" in shown
    assert "days_since_last_order" in shown


def test_a_notebook_gets_the_same_frame(customers):
    then, now = read_features("customer_repurchase", as_of=date(2011, 1, 31)), read_features("customer_repurchase")
    assert then[["snapshot_month", "buys_again"]].to_numpy().tolist() == [["2011-01", "yes"]]
    assert now["buys_again"].tolist() == ["yes", "yes"]


def test_a_name_that_no_feature_set_has_is_refused_with_those_there_are(customers):
    result = run("load", "customers")
    assert isinstance(result.exception, UserError)
    assert "no feature set 'customers'; there are: " in str(result.exception)
    assert "customer_repurchase" in str(result.exception)


def test_a_set_that_was_never_made_says_what_to_do(store):
    result = run("load", "customer_repurchase")
    assert isinstance(result.exception, UserError)
    assert "Materialize the asset first" in str(result.exception)


def test_a_file_of_another_kind_is_refused_before_anything_is_read(store, tmp_path):
    result = run("load", "customer_repurchase", "--output", str(tmp_path / "rows.xlsx"))
    assert isinstance(result.exception, UserError)
    assert "ends in .parquet or .csv" in str(result.exception)


def test_a_file_that_cannot_be_written_is_said_in_a_sentence(customers, tmp_path):
    result = run("load", "customer_repurchase", "--output", str(tmp_path / "nowhere" / "rows.csv"))
    assert isinstance(result.exception, UserError)
    assert "name another file" in str(result.exception)
