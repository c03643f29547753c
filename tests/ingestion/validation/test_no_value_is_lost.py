"""Whatever a cell says, its value is in its column, or rescued, or its row is set aside with its text: never gone."""

import json
import re
from datetime import UTC, date, datetime
from fractions import Fraction

import pytest
from declaring import dataset
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lastmile.contracts import column
from lastmile.contracts.casts import NumberFormat

COLUMNS = {
    "n": column(float, "A number."),
    "i": column(int, "A count."),
    "b": column(bool, "A question."),
    "d": column(date, "A day."),
    "m": column(datetime, "A moment."),
    "t": column(str, "A text."),
    "c": column(str, "A code.", isin=["a", "1", "1.234"]),
}
MISSING = {name: set(dataset(COLUMNS).missing(name)) for name in COLUMNS}
FORMATS = [NumberFormat(), NumberFormat(","), NumberFormat(",", "."), NumberFormat(".", ","), NumberFormat(".", " ")]
#: Texts near to numbers, dates and words that mean something, and any others.
NEAR = st.text("0123456789+-.,eE '_\u00a0\u0661x:TZ/", max_size=12)
WRITTEN = st.one_of(
    st.floats(allow_nan=False).map(repr),
    st.integers().map(str),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.dates().map(str),
    st.datetimes().map(str),
    st.sampled_from(["1.234", "1,234", "1.234,5", "12,5", "yes", "No", "NA", "nan", "inf", "1e400", "1e-400", "NULL"]),
)
CELLS = st.one_of(NEAR, WRITTEN, st.text(st.characters(exclude_categories=["Cs"]), max_size=12))
PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def meaning(name, cell, numbers):
    """What the text means for the column, worked out in Python alone; None where it has no meaning there."""
    if name in ("t", "c"):
        return cell if name == "t" or cell in COLUMNS["c"].checks[0].statistics["allowed_values"] else None
    cell = cell.strip()
    if name in ("n", "i"):
        exact = amount(cell, numbers)
        return exact if exact is None or name == "n" or exact.denominator == 1 else None
    if name == "b":
        return {
            "1": True,
            "1.0": True,
            "true": True,
            "yes": True,
            "0": False,
            "0.0": False,
            "false": False,
            "no": False,
        }.get(cell.lower())
    return (calendar_day if name == "d" else instant)(cell)


def amount(cell, numbers):
    if numbers.thousands and re.fullmatch(
        rf"[+-]?[1-9]\d{{0,2}}([{numbers.thousands}]\d{{3}})+([{numbers.decimal}]\d*)?", cell
    ):
        cell = cell.replace(numbers.thousands, "")
    elif numbers.decimal == "," and "." in cell:
        return None
    cell = cell.replace(numbers.decimal, ".")
    if not PLAIN.fullmatch(cell) or abs(float(cell)) == float("inf"):
        return None
    return Fraction(cell)


def calendar_day(cell):
    try:
        return date.fromisoformat(cell[:10]) if re.match(r"\d{4}-", cell) else None
    except ValueError:
        return None


def instant(cell):
    try:
        found = datetime.fromisoformat(cell)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def is_same(name, value, expected):
    """Exactly the same; a real number is the double nearest to its text, a moment is cut to the microsecond."""
    return value == (float(expected) if name == "n" else expected)


@pytest.mark.behaviour(number=22)
@pytest.mark.parametrize("policy", ["quarantine", "rescue"])
@pytest.mark.parametrize("name", COLUMNS)
@settings(max_examples=100)
@given(cell=CELLS, numbers=st.sampled_from(FORMATS))
@example(cell="1.234", numbers=NumberFormat(",", "."))
@example(cell="1.234", numbers=NumberFormat(","))
@example(cell="0.123", numbers=NumberFormat(",", "."))
@example(cell="1e-400", numbers=NumberFormat())
@example(cell="3.00000000000000001", numbers=NumberFormat())
@example(cell="12,5", numbers=NumberFormat())
def test_a_cell_is_its_value_or_rescued_or_set_aside_and_never_silently_null(
    judge, make_contract, policy, name, cell, numbers
):
    judged = judge(make_contract({name: COLUMNS[name]}, wrong_type=policy), {name: [cell]}, numbers=numbers)
    if judged.bad.height:
        reasons = json.loads(judged.bad["reasons"][0])
        assert judged.bad["raw"][0] == "row 0"
        assert all(reason["message"] for reason in reasons)
        return
    value, rescued = judged.valid[name][0], json.loads(judged.valid["_rescued"][0] or "{}")
    if rescued:
        assert (value, rescued[name].strip()) == (None, cell.strip())
    elif value is None:
        assert cell.strip() in MISSING[name]
    else:
        assert is_same(name, value, meaning(name, cell, numbers))


@pytest.mark.behaviour(number=21)
@settings(max_examples=100)
@example(cells={"": "\x1f"})
@given(
    cells=st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12), CELLS, max_size=6
    )
)
def test_every_cell_of_a_row_is_in_its_column_or_rescued_or_the_row_is_set_aside(judge, make_contract, cells):
    contract = make_contract(COLUMNS, wrong_type="rescue")
    header = {name: [cell] for name, cell in cells.items() if name not in COLUMNS} | {"t": ["x"]}
    folded = [re.sub(r"[\W_]+", "_", name.strip().lower()).strip("_") for name in header]
    if len(set(folded)) < len(folded) or set(folded) & (COLUMNS.keys() - {"t"}):
        return
    judged = judge(contract, header)
    if judged.valid.height:
        rescued, others = json.loads(judged.valid["_rescued"][0] or "{}"), header.keys() - {"t"}
        assert rescued == {name: header[name][0] for name in rescued.keys() & others}
        assert all(not header[name][0].strip() for name in others - rescued.keys())
    else:
        assert json.loads(judged.bad["reasons"][0])
