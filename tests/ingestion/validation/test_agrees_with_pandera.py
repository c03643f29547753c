"""The plan is a faster way to ask pandera's questions: both must answer the same, row by row and check by check."""

from datetime import UTC, date, datetime

import pandera.polars as pa
import polars as pl
from declaring import changed, rule
from hypothesis import given
from hypothesis import strategies as st
from pandera.errors import SchemaErrors

from lastmile.contracts import column

#: Rules of ours and pandera's names of the same.
PANDERA = {
    "required": "not_nullable",
    "at_least": "greater_than_or_equal_to",
    "at_most": "less_than_or_equal_to",
    "allowed": "isin",
    "matches": "str_matches",
}

EVEN = pa.Check(lambda data: data.lazyframe.select(pl.col(data.key) % 2 == 0), name="even", error="even")
SHORT = pa.Check.str_length(max_value=3, name="short", error="short")

LOW, HIGH = st.integers(-3, 0), st.integers(1, 3)
REQUIRED = st.booleans()
COLUMNS = {
    "f": st.builds(column, st.just(float), st.just("f"), ge=LOW, le=HIGH, required=REQUIRED),
    "i": st.builds(column, st.just(int), st.just("i"), ge=LOW, le=st.none() | HIGH, required=REQUIRED),
    "e": st.builds(lambda required: column(int, "e", checks=[EVEN, pa.Check.le(4)], required=required), REQUIRED),
    "b": st.builds(column, st.just(bool), st.just("b"), required=REQUIRED),
    "d": st.builds(
        column, st.just(date), st.just("d"), ge=st.dates(date(2019, 1, 1), date(2021, 1, 1)), required=REQUIRED
    ),
    "m": st.builds(column, st.just(datetime), st.just("m"), le=st.datetimes(timezones=st.just(UTC)), required=REQUIRED),
    "c": st.builds(
        column, st.just(str), st.just("c"), isin=st.sampled_from([["a"], ["a", "no"], ["yes", "2"]]), required=REQUIRED
    ),
    "t": st.builds(
        column,
        st.just(str),
        st.just("t"),
        str_matches=st.sampled_from(["^[a-z]+$", "^(?:a|b)$", "a|b", "[0-9.]*$"]),
        required=REQUIRED,
    ),
    "s": st.builds(lambda required: column(str, "s", checks=[SHORT], required=required), REQUIRED),
}
RULES = (
    rule("ordered", pl.col("f") <= pl.col("i"), "ordered"),
    rule("known", pl.col("b") | pl.col("d").is_not_null(), "known"),
    pa.Check(lambda data: data.lazyframe.select(pl.col("i") != pl.col("e")), name="differ", error="differ"),
)
CELLS = st.sampled_from(
    [
        "",
        " ",
        "NA",
        "-3",
        "-1",
        "0",
        "1",
        "2",
        "2.0",
        "2.5",
        "4",
        "no",
        "yes",
        "a",
        "b",
        "Ab",
        "2020-02-29",
        "2020-06-01T12:00Z",
    ]
)


@st.composite
def contracts(draw, make_contract):
    columns = {name: draw(spec) for name, spec in COLUMNS.items()}
    return make_contract(columns, checks=draw(st.lists(st.sampled_from(RULES), unique_by=id)))


@given(data=st.data())
def test_the_plan_and_pandera_find_the_same_rows_for_the_same_checks(data, make_contract, judge, reasons):
    contract = data.draw(contracts(make_contract))
    rows = data.draw(st.lists(st.tuples(*(CELLS for _ in COLUMNS)), min_size=1, max_size=8))
    cells = dict(zip(COLUMNS, zip(*rows, strict=True), strict=True))
    assert ours(contract, reasons(judge(contract, cells))) == pandera(contract, typed(contract, cells, judge))


def ours(contract, reasons):
    """Row, column and check of every reason as pandera calls it, for which a wrong type is a null, bad if required."""
    found = [(line - 2, reason["column"], reason["rule"]) for line, broken in reasons.items() for reason in broken]
    wrong_types = {(row, name, rule_name) for row, name, rule_name in found if rule_name == "type"}
    nulls = {(row, name, "not_nullable") for row, name, _ in wrong_types if not contract.columns[name].nullable}
    return nulls | {(row, name, PANDERA.get(broken, broken)) for row, name, broken in set(found) - wrong_types}


def pandera(contract, frame):
    """Row, column and check of every failure pandera itself finds in the typed frame."""
    try:
        contract.schema.validate(frame, lazy=True)
    except SchemaErrors as errors:
        failures = errors.failure_cases.select("index", "column", pl.col("check").str.split("(").list.first())
        return {(row, name if name in frame.columns else None, check) for row, name, check in failures.rows()}
    return set()


def typed(contract, cells, judge):
    """All rows with their types, by a contract that asks for nothing else."""
    lenient = {
        name: column(spec.dtype.type, name, missing=contract.missing(name)) for name, spec in contract.columns.items()
    }
    frame = judge(changed(contract, columns=lenient, checks=(), wrong_type="rescue"), cells).valid
    assert frame.height == len(cells["f"])
    return frame.drop("_line", "_rescued")
