"""Rescued values are filled in once the contract has a column for them."""

import json
from typing import Any

import polars as pl
import pytest
from visits import VISITS, Site

from lastmile.contracts import column
from lastmile.ingestion.schema_evolution import rescued_values
from lastmile.ingestion.schema_evolution.rescued_values import request_fill, rescued_names

WEATHER = column(str, "Weather at the visit.", isin=["rain", "sun"], aliases=("Wetter",))
pytestmark = pytest.mark.behaviour(number=21)


def bring(site: Site, *lines: str, name: str = "a.csv") -> None:
    site.put(name, "\n".join(lines) + "\n")
    site.discover()
    site.take()


def fill(site: Site, *columns: str) -> list[Any]:
    request_fill(site.connection, site.store.url, site.contract, columns or list(site.contract.columns))
    return site.take()


def rows(site: Site) -> list[dict[str, Any]]:
    """The table's rows without when and by which run they were loaded."""
    found = site.query("SELECT * FROM raw.visits ORDER BY _drop_id, _line")
    return [{name: value for name, value in row.items() if name not in ("_run_id", "_loaded_at")} for row in found]


def cleaned(site: Site) -> pl.DataFrame:
    frames = [pl.read_parquet(site.store.read(drop["cleaned_key"])) for drop in site.drops() if drop["cleaned_key"]]
    parsed = pl.Series(
        "_rescued", [text and str(json.loads(text)) for text in pl.concat(frames)["_rescued"]], pl.String
    )
    return pl.concat(frames).with_columns(parsed)


def with_column(site: Site, **columns: Any) -> Site:
    return site.under(columns={**site.contract.columns, **columns})


def test_a_column_declared_later_is_filled_in_as_a_redo_would_load_it(site):
    bring(site, "visit,persons,Wetter,Wind", "v1,3,rain,2", "v2,3,NA,", "v3,3,sun,4", "v4,3,,1")
    with_column(site, weather=WEATHER, wind=column(int, "Wind."))
    (outcome,) = fill(site)
    filled = rows(site), cleaned(site), site.drops()[0]
    assert [(row["weather"], row["wind"], row["_rescued"]) for row in filled[0]] == [
        ("rain", 2, None),
        (None, None, None),
        ("sun", 4, None),
        (None, 1, None),
    ]
    assert outcome.loaded == 4
    assert "filled in 3 values of weather, 3 values of wind" in filled[2]["message"]
    site.take(redo=True)
    redone = site.drops()[0]
    assert rows(site) == filled[0]
    assert cleaned(site).equals(filled[1])
    assert redone["schema_change"] | {"reordered": True} == filled[2]["schema_change"] | {"reordered": True}
    assert [redone[name] for name in redone if name.startswith("rows_")] == [
        filled[2][name] for name in redone if name.startswith("rows_")
    ]


def test_filling_in_again_changes_nothing(site):
    bring(site, "visit,Wetter", "v1,rain")
    with_column(site, weather=WEATHER)
    fill(site)
    before = rows(site), site.drops()
    assert fill(site) == []
    assert (rows(site), site.drops()) == before


def test_values_that_do_not_fit_stay_rescued_and_are_counted_with_the_reason(site):
    bring(site, "visit,hours,Wetter,start_hours", "v1,3,hail,1", "v2,3,sun,5", "v3,3,rain,x")
    rules = [*VISITS.table.checks]
    with_column(site, weather=WEATHER, start_hours=column(float, "Start.", le=4)).under(checks=rules)
    (outcome,) = fill(site)
    assert [(row["weather"], row["start_hours"], row["_rescued"]) for row in rows(site)] == [
        (None, 1.0, {"Wetter": "hail"}),
        ("sun", None, {"start_hours": "5"}),
        ("rain", None, {"start_hours": "x"}),
    ]
    for told in ("weather: expected one of rain, sun; found 'hail'", "at most 4; found '5'", "a number; found 'x'"):
        assert told in outcome.message


def test_a_value_that_would_break_a_rule_across_columns_stays_rescued(site):
    columns = {name: spec for name, spec in VISITS.columns.items() if name != "travel_hours"}
    site.under(columns=columns, checks=[])
    bring(site, "visit,hours,travel_hours", "v1,3,4", "v2,3,1")
    site.under(columns=VISITS.columns, checks=VISITS.table.checks)
    (outcome,) = fill(site, "travel_hours")
    assert [(row["travel_hours"], row["_rescued"]) for row in rows(site)] == [
        (None, {"travel_hours": "4"}),
        (1.0, None),
    ]
    assert "travel takes part of the time only; found travel_hours=4, hours=3.0" in outcome.message


def test_a_value_of_the_wrong_type_is_filled_in_once_the_column_is_wide_enough(site):
    site.under(wrong_type="rescue")
    bring(site, "visit,persons", "v1,2.5", "v2,3")
    with_column(site, persons=column(float, "Persons met, on average."))
    fill(site)
    assert [(row["persons"], row["_rescued"]) for row in rows(site)] == [(2.5, None), (3.0, None)]
    assert cleaned(site)["persons"].to_list() == [2.5, 3.0]


def test_numbers_mean_what_they_meant_in_their_drop(site):
    bring(site, "visit;hours;Wind", "v1;2,5;0,5", "v2;3,25;1.234")
    assert site.drops()[0]["format"]["decimal"] == ","
    with_column(site, wind=column(float, "Wind."))
    fill(site)
    assert [(row["wind"], row["_rescued"]) for row in rows(site)] == [(0.5, None), (None, {"Wind": "1.234"})]


def test_numbers_that_only_reading_again_can_decide_are_left_with_what_to_do(site):
    bring(site, "visit;hours;Wind", "v1;2;0,5", "v2;3;1.234")
    with_column(site, wind=column(float, "Wind."))
    assert fill(site) == []
    assert [row["wind"] for row in rows(site)] == [None, None]
    message = site.drops()[0]["message"]
    assert "not filled, rows kept: column 'Wind': expected numbers as they are written in the rest" in message
    assert "re-ingest the whole drop with `lastmile backfill --drop" in message


def test_a_column_that_drops_added_as_text_may_be_declared_with_its_type(site):
    site.under(unknown_columns="add")
    bring(site, "visit,Score", "v1,7", "v2,many", "v3,")
    with_column(site, score=column(int, "Points."))
    site.take()
    assert [(row["score"], row["_rescued"]) for row in rows(site)] == [
        (None, {"score": "7"}),
        (None, {"score": "many"}),
        (None, None),
    ]
    fill(site)
    assert [(row["score"], row["_rescued"]) for row in rows(site)] == [
        (7, None),
        (None, {"score": "many"}),
        (None, None),
    ]
    assert cleaned(site)["score"].to_list() == [7, None, None]


def test_a_fill_that_dies_before_its_end_leaves_the_drop_as_it_was(site, monkeypatch):
    bring(site, "visit,Wetter", "v1,rain")
    with_column(site, weather=WEATHER)
    site.take()
    before, kept = rows(site), cleaned(site)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(rescued_values.ledger, "record_column_fill", die)
        with pytest.raises(KeyboardInterrupt):
            fill(site)
    assert rows(site) == before
    assert cleaned(site).equals(kept)
    site.query("UPDATE ledger.drops SET claim = NULL RETURNING id")
    site.take()
    assert [row["weather"] for row in rows(site)] == ["rain"]


def test_a_drop_whose_cleaned_file_is_gone_is_unchanged_and_says_what_to_do(site):
    bring(site, "visit,Wetter", "v1,rain")
    with_column(site, weather=WEATHER)
    key = site.drops()[0]["cleaned_key"]
    body = site.store.read(key)
    site.store.delete(key)
    assert fill(site) == []
    message = site.drops()[0]["message"]
    assert "not filled, rows kept: the cleaned file of its rows is gone" in message
    assert f"`lastmile backfill --drop {site.drops()[0]['id']}`" in message
    site.store.put(key, body)


def test_two_headers_of_one_column_are_not_chosen_between(site):
    bring(site, "visit,Wetter,weather", "v1,rain,sun")
    with_column(site, weather=WEATHER)
    (outcome,) = fill(site)
    assert [row["_rescued"] for row in rows(site)] == [{"Wetter": "rain", "weather": "sun"}]
    assert "expected one header for it, found" in outcome.message


def test_rescued_values_are_listed_with_the_column_that_is_now_declared_for_them(site):
    bring(site, "visit,Wetter,Wind", "v1,rain,2", "v2,sun,")
    with_column(site, weather=WEATHER)
    site.take()
    found = {
        one.name: (one.column, one.drops, one.rows, one.examples)
        for one in rescued_names(site.connection, site.contract)
    }
    assert found == {"Wetter": ("weather", 1, 2, ("rain", "sun")), "Wind": (None, 1, 1, ("2",))}


def test_a_column_of_the_key_is_not_filled_in(site):
    bring(site, "visit,Round", "v1,2")
    with_column(site, round=column(str, "Round of visits.")).under(key=("visit", "round"))
    assert fill(site) == []
