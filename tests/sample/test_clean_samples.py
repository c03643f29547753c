"""Samples without faults: the shape of real files, figures that agree with each other, rows no contract objects to."""

import polars as pl
import pytest
from contracts.judging import judge, read

from assets.household_survey.sample.shape import TABLES
from lastmile.contracts import load_contracts

CONTRACTS = load_contracts("assets")


@pytest.fixture(scope="module")
def tables(clean):
    folder, truth = clean
    return {
        table: pl.concat(
            [pl.read_csv(folder / drop.key, infer_schema_length=None) for drop in truth.drops if drop.dataset == table],
            how="vertical_relaxed",
        )
        for table in TABLES
    }


@pytest.mark.parametrize("table", TABLES)
def test_the_header_is_that_of_the_real_files(shared_data, table):
    real = next((shared_data / "household_rhomis").glob(f"*/*/{table}.csv"))
    assert ",".join(TABLES[table]) == real.read_text(encoding="utf-8").splitlines()[0]


def test_files_lie_in_folders_by_dataset_year_and_survey(clean):
    folder, truth = clean
    written = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
    assert written == {drop.key for drop in truth.drops}
    for drop in truth.drops:
        assert drop.key == f"{drop.dataset}/{drop.partition}/{drop.source}/{drop.dataset}.csv"


def test_every_row_is_good_by_the_contracts(clean):
    folder, truth = clean
    for drop in truth.drops:
        judged = judge(CONTRACTS[drop.dataset], read(folder / drop.key))
        assert judged.bad.to_dicts() == []
        assert judged.valid.height == drop.loaded == drop.read


def test_a_household_and_its_kinds_of_animals_come_once(tables):
    assert tables["hhinfo"]["hhid"].is_unique().all()
    assert not tables["lstk"].select("hhid", "name").is_duplicated().any()


def test_there_are_as_many_households_as_requested_over_all_years_and_some_countries(tables):
    assert tables["hhinfo"].height == 3000
    assert set(tables["hhinfo"]["year"]) == {2019, 2020, 2021, 2022, 2023}
    assert tables["hhinfo"]["country"].n_unique() == 5
    assert 12 <= tables["hhinfo"]["id_form"].n_unique() <= 20


@pytest.mark.parametrize(
    ("table", "row", "total"),
    [
        ("crop", "harvest_kg", "crop_harvest_kg"),
        ("crop", "sold_kg", "crop_sold_kg"),
        ("crop", "income_lcu", "crop_income_lcu"),
        ("lstk_prod", "harvest_kg", "lstk_harvest_kg"),
        ("lstk_prod", "sold_kg", "lstk_sold_kg"),
        ("lstk_prod", "income_lcu", "lstk_income_lcu"),
    ],
)
def test_rows_add_up_to_what_the_household_states(tables, table, row, total):
    summed = tables[table].group_by("hhid").agg(pl.col(row).sum())
    both = tables["hhinfo"].select("hhid", total).join(summed, on="hhid", how="left").fill_null(0)
    assert (both[row] - both[total]).abs().max() < 0.01


def test_income_in_dollars_follows_from_its_parts(tables):
    found = tables["hhinfo"].select(
        given=pl.col("income_per_person_per_day_usd"),
        made=(pl.col("farm_income_lcu") + pl.col("off_farm_lcu"))
        / (pl.col("currency_conversion_lcu_to_ppp") * 365 * pl.col("hh_size_members")),
    )
    assert (found["given"] - found["made"]).abs().max() < 1e-5


def test_the_names_listed_are_those_of_the_rows(tables):
    named = tables["crop"].unique(["hhid", "name"]).sort("name").group_by("hhid").agg(pl.col("name").str.join(" "))
    both = tables["hhinfo"].select("hhid", "crop_name").join(named, on="hhid", how="left")
    assert both["crop_name"].equals(both["name"])


def test_surveys_fill_different_columns(clean):
    folder, truth = clean
    filled = {
        tuple(name for name, count in frame.null_count().row(0, named=True).items() if count < frame.height)
        for frame in (read(folder / drop.key) for drop in truth.drops if drop.dataset == "hhinfo")
    }
    assert len(filled) > 5


def test_the_mix_of_levels_is_that_of_real_surveys(clean):
    levels = clean[1].levels
    computable = levels.total() - levels["not computable"]
    vulnerable = (levels["Struggling"] + levels["Severely Struggling"]) / computable
    assert 0.6 < vulnerable < 0.78
    assert min(levels.values()) > 0.015 * levels.total()
    assert levels.total() == 3000


def test_the_stated_levels_are_those_of_the_formula(tables, clean):
    value = tables["hhinfo"].select(
        (pl.col("total_income_lcu_per_year") + pl.col("value_farm_products_consumed_lcu_per_hh_per_year"))
        / (pl.col("currency_conversion_lcu_to_ppp") * 365 * pl.col("hh_size_members"))
    )
    on_track, at_risk, struggling = ((value >= bound).to_series().sum() for bound in (2.15, 1.77, 1.25))
    levels = clean[1].levels
    assert levels["On Track"] == on_track
    assert levels["At Risk"] == at_risk - on_track
    assert levels["Struggling"] == struggling - at_risk
    assert levels["Severely Struggling"] == value.drop_nulls().height - struggling
