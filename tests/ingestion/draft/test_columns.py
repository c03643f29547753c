"""What a draft says of a column: its type, bounds, codes, gaps, and whether it is personal."""

from collections.abc import Sequence

import polars as pl
import pytest
from drafts import columns_of, of_sources

from lastmile.contracts import Contract
from lastmile.ingestion.draft import draft, of_frames


def source(**columns: Sequence[str | None]):
    frame = pl.DataFrame({name.replace("__", " "): list(cells) for name, cells in columns.items()})
    return of_frames("sample", frame.columns, lambda: [frame.cast(pl.String)])


def column(header: str, cells: Sequence[str | None]) -> tuple[Contract, str]:
    """A contract drafted from one column next to an identifier, and the name of that column."""
    contract = of_sources([source(visit_id=[f"V{n}" for n in range(len(cells))], **{header: cells})])
    return contract, list(contract.columns)[1]


def checks(contract: Contract, name: str) -> dict[str, object]:
    return {check.name: check.statistics for check in contract.columns[name].checks}


@pytest.mark.parametrize(
    ("header", "cells", "kind"),
    [
        ("persons", ["4", "12", "0"], "whole number"),
        ("score", ["4.5", "12", ".5"], "number"),
        ("harvest_kg", ["4", "12", "0"], "number"),
        ("amount", ["4.0", "12.0", "0.0"], "number"),
        ("form_id", ["4", "12", "70"], "text"),
        ("code", ["004", "012", "070"], "text"),
        ("serial", ["254712345678901234", "254712345678901235", "1"], "text"),
        ("consent", ["oui", "non", "oui"], "boolean"),
        ("has_cattle", ["1", "0", "1"], "boolean"),
        ("is_head", ["1", "2", "1"], "boolean"),
        ("children", ["1", "0", "1"], "whole number"),
        ("day", ["2024-05-31", "2024-02-29", "2023-01-01"], "date"),
        ("day", ["31/05/2024", "29/02/2024", "01/01/2023"], "date"),
        ("day", ["05/31/2024", "02/29/2024", "01/01/2023"], "date"),
        ("day", ["31.05.2024", "29.2.2024", "1.1.2023"], "date"),
        ("start", ["2024-05-31T08:00:00Z", "2024-05-31 09:10", "2024-05-31T08:00:00.123+03:00"], "timestamp"),
        ("start", ["31/05/2024 08:00", "29/02/2024 09:10", "01/01/2023 23:59"], "timestamp"),
        ("at", ["08:00", "23:59", "00:00"], "time of day"),
        ("payload", ['{"a":1}', "[1,2]", "{}"], "JSON"),
        ("share", ["12 %", "7 %", "100 %"], "number"),
        ("price", ["$1.50", "$2", "$1200.00"], "number"),
        ("note", ["fine", "4", "late"], "text"),
        ("empty", ["", None, "NA"], "text"),
    ],
)
def test_values_of_one_kind_give_a_column_of_that_type(header, cells, kind):
    contract, name = column(header, cells)
    assert columns_of(contract)[name] == kind


def test_an_answer_of_several_codes_is_a_list():
    cells = ["maize", "maize beans", "beans", "cassava maize", "cassava", "beans cassava", "maize beans cassava"] * 10
    contract, name = column("crops", cells)
    assert columns_of(contract)[name] == "list of codes"


def test_a_sentence_is_no_list_of_codes():
    contract, name = column("remark", [f"we came on day {n} and left" for n in range(40)])
    assert columns_of(contract)[name] == "text"


def test_a_few_values_seen_often_are_a_closed_list():
    contract, name = column("status", ["open", "closed", "late"] * 20)
    assert checks(contract, name)["isin"] == {"allowed_values": ["closed", "late", "open"]}


@pytest.mark.parametrize("cells", [["open", "closed"] * 3, ["open", "closed"] * 40 + ["reopened"]])
def test_a_list_that_the_next_file_may_lengthen_is_left_open(cells):
    contract, name = column("status", cells)
    assert checks(contract, name) == {}


def test_a_value_that_is_the_same_in_each_file_is_no_closed_list():
    files = [source(visit_id=[f"{station}{n}" for n in range(60)], station=[station] * 60) for station in ("A", "B")]
    assert checks(of_sources(files), "station") == {}


def test_codes_for_no_answer_are_missing_where_nothing_else_is_negative():
    contract, name = column("persons", ["4", "-99", "12", "n/a", "-99"])
    assert set(contract.missing(name)) >= {"-99", "n/a"}
    assert columns_of(contract)[name] == "whole number"


def test_a_negative_number_among_others_is_a_value():
    contract, name = column("temperature", ["4", "-99", "-12"])
    assert "-99" not in contract.missing(name)


def test_na_is_missing_in_a_text_but_namibia_among_countries():
    text, name = column("village", ["Bomet", "NA", "Kericho"])
    assert "NA" in text.missing(name)
    countries, name = column("country", ["KE", "NA", "TZ"])
    assert "NA" not in countries.missing(name)


@pytest.mark.parametrize(
    ("header", "cells", "bounds"),
    [
        ("area_ha", ["1.5", "2"], {"greater_than_or_equal_to"}),
        ("area_ha", ["1.5", "-2"], set()),
        ("balance", ["1.5", "2"], set()),
        ("female_pct", ["10", "90"], {"greater_than_or_equal_to", "less_than_or_equal_to"}),
        ("female_pct", ["10", "190"], {"greater_than_or_equal_to"}),
        ("gps_lat", ["-1.25", "4.5"], {"greater_than_or_equal_to", "less_than_or_equal_to"}),
    ],
)
def test_a_bound_comes_from_the_name_and_only_where_all_values_keep_it(header, cells, bounds):
    contract, name = column(header, cells)
    assert set(checks(contract, name)) == bounds


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        ("hhid", ["a", "b"]),
        ("Nom du répondant", ["Awa", "Ali"]),
        ("phone", ["x", "y"]),
        ("gps_lat", ["1", "2"]),
        ("date_of_birth", ["1990-01-01", "1991-01-01"]),
        ("contact_1", ["0712 345 678", "+254 712 345678"]),
        ("written_to", ["awa@example.org", "ali@example.org"]),
        ("place", ["-1.28333 36.81667 1600 5", "0.52036 35.26993 2100 4"]),
    ],
)
def test_what_names_or_finds_a_person_is_personal(header, cells):
    contract, name = column(header, cells)
    assert contract.metadata(name)["personal"]


@pytest.mark.parametrize(("header", "cells"), [("name", ["maize"] * 30 + ["beans"] * 30), ("yield_kg", ["1.5", "2"])])
def test_the_name_of_a_thing_and_a_weight_are_not_personal(header, cells):
    contract, name = column(header, cells)
    assert not contract.metadata(name)["personal"]


@pytest.mark.parametrize(
    ("header", "unit"),
    [("harvest_kg", "kg"), ("land_ha", "ha"), ("income_lcu", "lcu"), ("milk_kg_per_year", "kg/year"), ("kg", None)],
)
def test_a_unit_is_read_off_the_name(header, unit):
    contract, name = column(header, ["1.5", "2"])
    assert contract.metadata(name)["unit"] == unit


def test_a_column_without_a_gap_in_many_rows_is_required():
    full = [str(n) for n in range(120)]
    contract = of_sources([source(visit_id=full, persons=full, hours=[*full[1:], ""])])
    assert contract.required() == ["visit_id", "persons"]


def test_large_numbers_and_shares_are_written_out():
    cells = {"sent_ms": ["1772333637980", "1772343264790"], "note": [None, None]}
    text = draft([source(visit_id=["V1", "V2"], **cells)], "visits")
    assert "# 2 values, 1,772,333,637,980 to 1,772,343,264,790\n" in text
    assert "# 0 values, 100 % missing; no value so far" in text


def test_the_evidence_stands_above_each_column():
    text = draft([source(visit_id=["a", "b", "c", "d"], persons=["4", "12", "NA", "7"])], "visits")
    assert "    # 3 values, 25 % missing ('NA'), 4 to 12\n    persons: int | None" in text


def test_a_column_of_numbers_but_for_one_stays_text_and_says_so():
    text = draft([source(visit_id=[str(n) for n in range(30)], persons=["4"] * 29 + ["four"])], "visits")
    assert "29 of 30 are whole numbers, not 'four'" in text


def test_day_and_month_that_could_be_either_are_remarked():
    text = draft([source(visit_id=["a", "b"], day=["01/02/2024", "03/04/2024"])], "visits")
    assert "other way round" in text
    assert 'formats=("%d/%m/%Y",)' in text


def test_many_columns_that_differ_by_a_number_are_remarked():
    cells = {f"crop_{n}_kg": ["1", "2"] for n in (1, 2, 3)}
    assert "3 columns are called crop_*_kg" in draft([source(visit_id=["a", "b"], **cells)], "visits")


def test_no_column_is_called_as_the_header_of_another():
    frame = pl.DataFrame({"µ m": ["1"], "m": ["2"]})
    contract = of_sources([of_frames("sample", frame.columns, lambda: [frame])])
    assert {name: spec.metadata["aliases"] for name, spec in contract.columns.items() if spec.metadata["aliases"]} == {
        "m_2": ("µ m",)
    }
