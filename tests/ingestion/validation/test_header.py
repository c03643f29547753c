"""How the header of a drop is matched with the contract's columns, and when a drop is refused for it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastmile.contracts import column
from lastmile.contracts.headers import distinguished
from lastmile.ingestion.batch import Refused
from lastmile.ingestion.validation import Plan
from lastmile.ingestion.validation.header_match import fit

COLUMNS = {
    "hhid": column(str, "Household.", required=True),
    "crop_name": column(str, "Crop.", aliases=("Crop", "culture")),
    "harvest": column(int, "Harvest."),
}


def test_headers_match_in_any_case_and_punctuation(make_contract):
    change = Plan(make_contract(COLUMNS), ["HHID", " Crop Name ", "harvest"]).change

    assert change.as_json() == {"renamed": {"HHID": "hhid", " Crop Name ": "crop_name"}}
    assert Plan(make_contract(COLUMNS), list(COLUMNS)).change.as_json() == {}


@given(st.permutations(["hhid", "crop_name", "harvest"]))
def test_the_order_of_columns_never_matters(make_contract, judge, header):
    cells = {"hhid": ["a"], "crop_name": ["maize"], "harvest": ["3"]}
    judged = judge(make_contract(COLUMNS), {name: cells[name] for name in header})
    assert judged.valid.row(0) == ("a", "maize", 3, 2, None)


def test_another_order_is_told(make_contract):
    assert Plan(make_contract(COLUMNS), ["harvest", "hhid", "crop_name"]).change.reordered
    assert not Plan(make_contract(COLUMNS), ["hhid", "unknown", "harvest"]).change.reordered


def test_a_column_known_by_another_name_is_taken_and_told(make_contract):
    assert Plan(make_contract(COLUMNS), ["hhid", "Culture", "harvest"]).change.renamed == {"Culture": "crop_name"}


def test_missing_and_unknown_columns_are_told(make_contract):
    change = Plan(make_contract(COLUMNS), ["hhid", "Colour"]).change
    assert (change.rescued, change.missing) == (["Colour"], ["crop_name", "harvest"])


def test_a_missing_optional_column_is_null_in_every_row(make_contract, judge):
    judged = judge(make_contract(COLUMNS), {"hhid": ["a", "b"]})
    assert judged.valid.select("crop_name", "harvest").rows() == [(None, None), (None, None)]


def test_a_missing_required_column_refuses_the_drop_and_names_it(make_contract):
    with pytest.raises(
        Refused, match=r"required columns \['hhid'\] are missing; the file has \['crop_name'\]. Add them"
    ):
        Plan(make_contract(COLUMNS), ["crop_name"])


def test_two_headers_for_one_column_refuse_the_drop(make_contract):
    with pytest.raises(
        Refused, match=r"'Crop' and 'crop-name' \(columns 2 and 3 of the file\) both fit column 'crop_name'"
    ):
        Plan(make_contract(COLUMNS), ["hhid", "Crop", "crop-name"])


def test_a_header_with_no_known_column_refuses_the_drop(make_contract):
    with pytest.raises(Refused, match="none of them"):
        Plan(make_contract({"harvest": column(int, "Harvest.")}), ["12", "13"])


def test_a_header_with_nul_characters_refuses_the_drop(make_contract):
    with pytest.raises(Refused, match="NUL"):
        Plan(make_contract(COLUMNS), ["hhid", "a\0"])


def test_unknown_columns_refuse_the_drop_where_the_contract_says_so(make_contract):
    with pytest.raises(Refused, match=r"unknown columns \['Colour'\]"):
        Plan(make_contract(COLUMNS, unknown_columns="refuse"), ["hhid", "Colour"])


@pytest.mark.parametrize(
    ("alias", "header"),
    [
        ("Children <5", "Children >5"),
        ("दाल", "दिल"),
        ("Income (€)", "Income ($)"),
        ("harvest kg", "harvest kg %"),
        ("Ph+", "Ph-"),
    ],
)
def test_a_header_that_means_something_else_is_kept_as_an_unknown_column(make_contract, judge, alias, header):
    contract = make_contract({"hhid": column(str, "Household."), "n": column(int, "Number.", aliases=(alias,))})
    judged = judge(contract, {"hhid": ["a"], header: ["4"]})

    assert judged.valid["n"].to_list() == [None]
    assert json.loads(judged.valid["_rescued"][0]) == {header: "4"}


def test_a_header_in_decomposed_letters_is_the_column_declared_in_composed_ones(make_contract, judge):
    contract = make_contract({"menage": column(str, "Household.", aliases=("M\u00e9nage",))})

    assert judge(contract, {"Me\u0301nage": ["Kéita"]}).valid["menage"].to_list() == ["Kéita"]


def test_text_is_kept_in_the_code_points_it_came_in(make_contract, judge):
    contract = make_contract({"hhid": column(str, "Household.")}, key=("hhid",))
    written = ["K\u00e9ita", "Ke\u0301ita", " Keita"]

    assert judge(contract, {"hhid": written}).valid["hhid"].to_list() == written


def test_a_repeated_column_that_is_not_declared_is_rescued_under_distinct_names(make_contract, judge):
    plan = Plan(make_contract(COLUMNS), ["hhid", "x", "x (2)", "column 4"])

    assert plan.change.rescued == ["x", "x (2)", "column 4"]


def test_a_repeated_column_can_be_declared_by_its_distinct_name(make_contract):
    columns = COLUMNS | {"again": column(str, "Asked again.", aliases=("x (2)", "column 5"))}

    assert fit(make_contract(columns), ["hhid", "x", "x"])[0] == {"hhid": "hhid", "again": "x (2)"}
    assert fit(make_contract(columns), distinguished(["hhid", "crop", "a", "b", " "]))[0]["again"] == "column 5"
    both = columns | {"x": column(str, "Asked once.")}
    assert fit(make_contract(both), ["hhid", "x", "x"])[0] == {"hhid": "hhid", "x": "x", "again": "x (2)"}


@pytest.mark.parametrize(
    "header", [["hhid", "Crop", "Crop"], ["hhid", "crop_name", "culture"], ["hhid", "HHID", "Crop"]]
)
def test_a_declared_column_that_is_named_twice_refuses_the_drop(make_contract, header):
    with pytest.raises(Refused, match="both fit column"):
        fit(make_contract(COLUMNS), header)


def test_a_name_made_up_for_a_repeated_column_is_no_other_column(make_contract):
    columns = {"hhid": column(str, "Household."), "x_2": column(str, "Second."), "column_2": column(str, "Another.")}

    assert fit(make_contract(columns), ["hhid", "x", "x"])[0] == {"hhid": "hhid"}
    assert fit(make_contract(columns), ["hhid", "", "y"])[0] == {"hhid": "hhid"}
    assert fit(make_contract(columns), ["hhid", "X 2"])[0] == {"hhid": "hhid", "x_2": "X 2"}


@given(st.lists(st.sampled_from(["x", "x (2)", "x (3)", "", " ", "column 2", "y"])))
def test_distinguished_names_are_distinct_and_stay_so(names):
    unique = distinguished(names)

    assert len(set(unique)) == len(names)
    assert distinguished(unique) == unique
    assert all(name in unique for name in names if name.strip())
