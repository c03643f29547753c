"""How the header of a drop is matched with the contract's columns, and when a drop is refused for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastmile.contracts import column
from lastmile.ingestion.batch import Refused
from lastmile.ingestion.validation import Plan

COLUMNS = {
    "hhid": column(str, "Household.", required=True),
    "crop_name": column(str, "Crop.", aliases=("Crop", "culture")),
    "harvest": column(int, "Harvest."),
}


def test_headers_match_in_any_case_and_punctuation(make_contract):
    assert Plan(make_contract(COLUMNS), ["HHID", " Crop Name ", "harvest"]).change.as_json() == {}


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
    with pytest.raises(Refused, match="headers 'Crop' and 'crop-name' both fit column 'crop_name'"):
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
