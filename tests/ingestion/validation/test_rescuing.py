"""What has no column to go to is kept as JSON beside the row."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastmile.contracts import column
from lastmile.contracts.names import normal_name

KNOWN = {"k": column(str, "k")}
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)


@pytest.mark.parametrize("policy", ["rescue", "add"])
def test_cells_of_unknown_columns_are_kept_under_the_name_found(judge, make_contract, policy):
    contract = make_contract(KNOWN, unknown_columns=policy)
    judged = judge(contract, {"k": ["a", "b", "c"], "Région": ["x", "NA", " "], "2": ["", "y", None]})
    assert judged.valid["_rescued"].to_list() == ['{"Région":"x"}', '{"Région":"NA","2":"y"}', None]


@pytest.mark.parametrize("name", ["*", "^.*$", "", 'q"uote', "cell k", "raw k", "_line", "k k"])
def test_an_unknown_column_may_be_called_anything(judge, make_contract, name):
    judged = judge(make_contract(KNOWN), {"k": ["a"], name: ["x"]})
    assert json.loads(judged.valid["_rescued"][0]) == {name: "x"}


def test_a_wrong_type_is_rescued_where_the_contract_says_so(judge, make_contract):
    contract = make_contract({"n": column(int, "n", ge=0), "m": column(int, "m")}, wrong_type="rescue")
    judged = judge(contract, {"n": ["abc", "1"], "m": ["2", " 4.5"]})
    assert judged.valid.drop("_line").rows() == [(None, 2, '{"n":"abc"}'), (1, None, '{"m":"4.5"}')]
    assert judged.bad.is_empty()


def test_a_wrong_type_in_a_required_column_cannot_be_rescued(judge, make_contract, reasons):
    contract = make_contract({"k": column(int, "k", required=True)}, wrong_type="rescue")
    assert [found["rule"] for found in reasons(judge(contract, {"k": ["abc"]}))[2]] == ["type"]


def test_a_nul_character_cannot_be_rescued(judge, make_contract, reasons):
    contract = make_contract({"n": column(int, "n")}, wrong_type="rescue")
    assert [found["rule"] for found in reasons(judge(contract, {"n": ["\0"]}))[2]] == ["nul"]


@given(st.dictionaries(TEXT.filter(lambda name: normal_name(name) != "k"), TEXT, max_size=5))
def test_no_unknown_cell_is_lost(judge, make_contract, cells):
    judged = judge(make_contract(KNOWN), {"k": ["a"]} | {name: [text] for name, text in cells.items()})
    kept = json.loads(judged.valid["_rescued"][0] or "{}")
    assert kept.items() <= cells.items()
    assert all(not cells[name].strip() for name in cells.keys() - kept.keys())


def test_unknown_cells_of_many_rows_are_kept_each_in_its_row(judge, make_contract, monkeypatch):
    monkeypatch.setattr("lastmile.ingestion.validation.unknown_cells.CELLS", 6)
    rows = [
        {"a": f"{n}", "b": "" if n % 2 else f'"{n}\\', "é": f"\t\u2003{n}" if n % 3 else "\u2003"} for n in range(20)
    ]
    cells = {name: [row[name] for row in rows] for name in ("a", "b", "é")}
    judged = judge(make_contract(KNOWN), {"k": ["a"] * 20} | cells)
    found = [json.loads(text) for text in judged.valid["_rescued"]]
    assert found == [{name: text for name, text in row.items() if text.strip()} for row in rows]


def test_only_the_row_with_an_unknown_cell_too_long_is_quarantined(judge, make_contract, reasons):
    cells = {"k": ["a"] * 3_000, "x": ["1"] * 2_998 + ["y" * 1_000_001, "é" * 600_000], "z": ["2"] * 3_000}
    judged = judge(make_contract(KNOWN), cells)
    assert judged.valid.height == 2_999
    assert [(found["column"], found["rule"]) for found in reasons(judged)[3_000]] == [("x", "size")]
