"""Every rule a row can break, and the reason given for it."""

import json
from datetime import date

import pandera.polars as pa
import polars as pl
import pytest
from declaring import rule

from lastmile.contracts import column
from lastmile.ingestion.batch import BrokenRecord, RawBatch
from lastmile.ingestion.validation import Plan


def only(reasons, judged):
    """The one reason of the one bad row."""
    ((found,),) = reasons(judged).values()
    return found


def test_a_wrong_type_is_set_aside_with_what_was_found(judge, make_contract, reasons):
    judged = judge(make_contract({"n": column(int, "A count.")}), {"n": ["1", "abc", "NA"]})
    assert reasons(judged) == {
        3: [{"column": "n", "rule": "type", "found": "abc", "message": "n: expected a whole number; found 'abc'"}]
    }
    assert judged.valid.rows() == [(1, 2, None), (None, 4, None)]
    assert judged.bad["raw"].to_list() == ["row 1"]


@pytest.mark.parametrize(
    ("cell", "message"),
    [("", "k: expected a value; found none"), ("NA", "k: expected a value; found 'NA', which stands for none")],
)
def test_a_required_value_that_is_missing_is_set_aside(judge, make_contract, reasons, cell, message):
    judged = judge(make_contract({"k": column(int, "A key.", required=True)}), {"k": [cell]})
    assert only(reasons, judged) == {"column": "k", "rule": "required", "found": cell or None, "message": message}


def test_a_required_value_of_the_wrong_type_is_said_to_be_that_and_not_missing(judge, make_contract, reasons):
    judged = judge(make_contract({"k": column(int, "A key.", required=True)}), {"k": ["abc"]})
    assert only(reasons, judged)["rule"] == "type"


@pytest.mark.parametrize(
    ("spec", "cell", "rule_name", "expected"),
    [
        (column(float, "n", ge=0), "-1.5", "at_least", "at least 0"),
        (column(int, "n", le=10), "11", "at_most", "at most 10;"),
        (column(float, "n", le=1e9), "1e10", "at_most", "at most 1,000,000,000;"),
        (column(float, "n", ge=-0.25), "-1", "at_least", "at least -0.25;"),
        (column(date, "d", ge=date(2015, 1, 1)), "2014-12-31", "at_least", "at least 2015-01-01"),
        (column(str, "c", isin=["maize", "rice"]), "Maize", "allowed", "one of maize, rice"),
        (column(str, "c", isin=[f"c{n}" for n in range(20)]), "x", "allowed", "... (20 in all)"),
        (column(str, "t", str_matches="^(?:[a-z]{2}_[0-9]+)$"), "ke_1x", "matches", "the form [a-z]{2}_[0-9]+"),
    ],
)
def test_a_value_outside_what_is_allowed_is_set_aside(judge, make_contract, reasons, spec, cell, rule_name, expected):
    found = only(reasons, judge(make_contract({"x": spec}), {"x": [cell]}))
    assert (found["column"], found["rule"], found["found"]) == ("x", rule_name, cell)
    assert expected in found["message"]
    assert found["message"].endswith(f"; found '{cell}'")


def test_bounds_hold_at_their_ends(judge, make_contract):
    judged = judge(make_contract({"n": column(int, "n", ge=0, le=10)}), {"n": ["0", "10", "NA"]})
    assert judged.bad.is_empty()


def test_a_row_rule_tells_the_cells_it_compared(judge, make_contract, reasons):
    columns = {"sold": column(float, "Sold."), "harvest": column(float, "Harvested.")}
    rules = (rule("sold_within_harvest", pl.col("sold") <= pl.col("harvest"), "Sold at most the harvest."),)
    judged = judge(make_contract(columns, checks=rules), {"harvest": ["3", "3", "NA"], "sold": ["5", "3", "5"]})
    assert reasons(judged) == {
        2: [
            {
                "column": None,
                "rule": "sold_within_harvest",
                "found": "sold=5, harvest=3",
                "message": "Sold at most the harvest; found sold=5, harvest=3",
            }
        ]
    }


def test_a_row_rule_over_an_absent_column_passes(judge, make_contract):
    columns = {"sold": column(float, "Sold."), "harvest": column(float, "Harvested.")}
    rules = (rule("sold_within_harvest", pl.col("sold") <= pl.col("harvest"), "Sold at most the harvest."),)
    assert judge(make_contract(columns, checks=rules), {"sold": ["5"]}).bad.is_empty()


def test_every_broken_rule_is_listed_in_the_order_of_the_contract(judge, make_contract, reasons):
    columns = {"b": column(bool, "b"), "n": column(int, "n", ge=0), "k": column(str, "k", required=True)}
    rules = (rule("never", pl.col("n") > 100, "More than 100."),)
    judged = judge(make_contract(columns, checks=rules), {"k": [""], "n": ["-1"], "b": ["?"]})
    assert [(found["column"], found["rule"]) for found in reasons(judged)[2]] == [
        ("b", "type"),
        ("n", "at_least"),
        ("k", "required"),
        (None, "never"),
    ]


def test_any_other_check_of_pandera_is_called_with_its_own_words(judge, make_contract, reasons):
    even = pa.Check(lambda data: data.lazyframe.select(pl.col(data.key) % 2 == 0), name="even", error="an even number")
    judged = judge(make_contract({"n": column(pl.Int64, "n", checks=[even])}), {"n": ["2", "3", "NA"]})
    assert only(reasons, judged) == {
        "column": "n",
        "rule": "even",
        "found": "3",
        "message": "n: expected an even number; found '3'",
    }


def test_a_check_of_the_whole_row_is_called_too(judge, make_contract, reasons):
    filled = pa.Check(lambda data: data.lazyframe.select(pl.col("a").is_not_null()), name="filled", error="a is filled")
    judged = judge(
        make_contract({"a": column(int, "a"), "b": column(int, "b")}, checks=[filled]), {"a": ["NA"], "b": ["1"]}
    )
    assert only(reasons, judged) == {
        "column": None, "rule": "filled", "found": "a=NA", "message": "a is filled; found a=NA"
    }  # fmt: skip


def test_a_check_that_must_have_a_value_fails_where_there_is_none(judge, make_contract, reasons):
    given = column(pl.Int64, "n", checks=[pa.Check.ge(0, ignore_na=False)])
    assert only(reasons, judge(make_contract({"n": given}), {"n": ["NA"]}))["rule"] == "at_least"


def test_a_check_with_one_answer_for_all_rows_is_no_check_of_a_row(make_contract):
    mean = pa.Check(lambda data: data.lazyframe.select(pl.col(data.key).mean() > 0), name="mean_above_zero")
    with pytest.raises(ValueError, match="column n: check mean_above_zero gives one answer for all rows"):
        Plan(make_contract({"n": column(pl.Int64, "n", checks=[mean])}), ["n"])


def test_a_built_in_check_may_have_words_of_its_own(judge, make_contract, reasons):
    positive = column(pl.Int64, "n", checks=[pa.Check.ge(1, error="a number of people")])
    message = only(reasons, judge(make_contract({"n": positive}), {"n": ["0"]}))["message"]
    assert message == "n: expected a number of people; found '0'"


@pytest.mark.parametrize("cells", [{"t": ["a\0b"]}, {"t": ["a"], "unknown": ["a\0b"]}])
def test_a_nul_character_is_set_aside_and_shown_as_a_sign(judge, make_contract, reasons, cells):
    found = only(reasons, judge(make_contract({"t": column(str, "t")}), cells))
    assert (found["rule"], found["found"]) == ("nul", "a␀b")


def test_a_cell_of_more_than_a_million_characters_is_set_aside(judge, make_contract, reasons):
    judged = judge(make_contract({"t": column(str, "t")}), {"t": ["é" * 1_000_000, "é" * 1_000_000 + "x"]})
    assert [found["rule"] for found in reasons(judged)[3]] == ["size"]
    assert judged.valid.height == 1


def test_a_reason_repeats_at_most_200_characters(judge, make_contract, reasons):
    found = only(reasons, judge(make_contract({"n": column(int, "n")}), {"n": ["x" * 1000]}))
    assert found["found"] == "x" * 200 + "…"


def test_a_record_that_never_became_a_row_is_set_aside_in_its_place(judge, make_contract, reasons):
    broken = [BrokenRecord(3, "1,2,3\0", "expected 1 field; found 3")]
    judged = judge(make_contract({"n": column(int, "n")}), {"n": ["x", "1", "y"]}, broken)
    assert judged.bad["line"].to_list() == [2, 3, 4]
    assert reasons(judged)[3] == [
        {"column": None, "rule": "record", "found": "1,2,3␀", "message": "expected 1 field; found 3"}
    ]


def test_a_batch_without_rows_is_judged_too(judge, make_contract):
    judged = judge(make_contract({"n": column(int, "n")}), {"n": []})
    assert (judged.valid.height, judged.bad.height) == (0, 0)


def test_the_raw_text_is_asked_for_bad_rows_only(make_contract):
    asked = []
    frame = pl.DataFrame({"n": ["1", "x", "2", "y"]})
    batch = RawBatch(
        frame, pl.Series([2, 3, 5, 9], dtype=pl.UInt64), lambda rows: asked.append(list(rows)) or ["a", "b"]
    )
    bad = Plan(make_contract({"n": column(int, "n")}), ["n"]).validate(batch).bad
    assert asked == [[1, 3]]
    assert bad.select("line", "raw").rows() == [(3, "a"), (9, "b")]


def test_reasons_are_json_that_postgres_takes(judge, make_contract):
    judged = judge(make_contract({"n": column(int, "n")}), {"n": ['"\\\n\x01\0é']})
    (found,) = judged.bad["reasons"]
    assert "\\u0000" not in found
    assert json.loads(found)[0]["found"] == '"\\\n\x01␀é'
