"""Which headers are the same to the intake, and which two columns a contract can tell apart."""

import pytest
from declaring import dataset
from hypothesis import given
from hypothesis import strategies as st

from lastmile.contracts import Misdeclared, column
from lastmile.contracts.names import is_unnamed, normal_name

APART = [
    ("Children <5", "Children >5"),
    ("Children ≤5", "Children <5"),
    ("harvest", "harvest %"),
    ("Income (€)", "Income ($)"),
    ("Income (₹)", "Income (₦)"),
    ("दाल", "दिल"),
    ("ข้าว", "ขาว"),
    ("كَتَبَ", "كُتُب"),
    ("C", "C++"),
    ("C++", "C#"),
    ("Ph+", "Ph-"),
    ("Rh (+)", "Rh (-)"),
    ("Rh", "Rh (-)"),
    ("change -1", "change 1"),
    ("ø", "o"),
    ("Ménage", "Menage"),
    ("Temp °C", "Temp °F"),
    ("a.1", "a1"),
    ("x²", "x2"),
    ("½ ha", "1 2 ha"),
    ("kg/ha", "kg ha"),
    ("A & B", "A B"),
    ("a*b", "a b"),
    ("x = 1", "x != 1"),
    ("±5", "5"),
    ("length 5\u2032", "length 5″"),
]
SAME = [
    ("Household ID", "household_id"),
    ("household-id", "HOUSEHOLD.ID"),
    ("Ménage", "Me\u0301nage"),
    ("HH\u00a0size", "HH size"),
    ("\ufeffhhid", "hhid"),
    ("hh\u200bid", "hhid"),
    ("\uff29\uff24\u3000\uff11", "id 1"),
    ("ﬁsh", "fish"),
    ("Straße", "STRASSE"),
    ("Name:", "name"),
    ("* Name *", "name"),
    ("Has a phone?", "has_a_phone"),
    ("Children < 5", "children <5"),
    ("harvest %", "harvest_%"),
    ("Income (€)", "income €"),
    ("Ph\u2212", "Ph-"),
    ("age 5\u20139", "age 5-9"),
    ("Water - litres", "water_litres"),
    ("हिन्दी नाम", "हिन्दी_नाम"),
]


@pytest.mark.parametrize(("one", "other"), APART)
def test_headers_that_mean_different_things_can_both_be_declared(one: str, other: str) -> None:
    both = dataset({"a": column(str, "One.", aliases=(one,)), "b": column(str, "Other.", aliases=(other,))})

    assert normal_name(one) != normal_name(other)
    assert (both.headers.column(one), both.headers.column(other)) == ("a", "b")


@pytest.mark.parametrize(("one", "other"), SAME)
def test_headers_that_differ_in_looks_only_are_the_same(one: str, other: str) -> None:
    assert normal_name(one) == normal_name(other)
    with pytest.raises(Misdeclared, match="are the same to"):
        dataset({"a": column(str, "One.", aliases=(one,)), "b": column(str, "Other.", aliases=(other,))})


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_name_in_its_normal_form_stays_so(name: str) -> None:
    assert normal_name(normal_name(name)) == normal_name(name)


@given(st.from_regex(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", fullmatch=True))
def test_the_name_of_a_column_is_its_normal_form(name: str) -> None:
    assert normal_name(name) == normal_name(name.upper()) == name


def test_a_header_that_shows_nothing_is_no_name() -> None:
    assert all(map(is_unnamed, ["", " ", "\u00a0", "\ufeff", "\u200b \t"]))
    assert not any(map(is_unnamed, ["-", "%", "x"]))
