"""What a contract says that cannot all be meant is refused when it is declared, or read as it must have been meant."""

from datetime import date, time
from decimal import Decimal
from typing import Any

import pandera.polars as pa
import polars as pl
import pytest
from declaring import dataset

from lastmile.contracts import Contract, Misdeclared, column, field
from lastmile.ingestion.batch import RawBatch
from lastmile.ingestion.validation import Plan


def declared(dtype: Any, required: bool = False, checks: tuple[pa.Check, ...] = (), **said: Any) -> Contract:
    return dataset({"visit": column(str, "Visit."), "x": column(dtype, "X.", required=required, checks=checks, **said)})


def values(contract: Contract, *cells: str) -> list[Any]:
    frame = pl.DataFrame({"x": cells})
    batch = RawBatch(frame, pl.Series(range(len(cells)), dtype=pl.UInt64), lambda rows: [""] * len(rows))
    judged = Plan(contract, ["x"]).validate(batch)
    assert judged.bad.is_empty()
    return judged.valid["x"].to_list()


@pytest.mark.parametrize(
    ("dtype", "said", "message"),
    [
        (str, {"isin": ["KE", "NA"], "missing": ("", "NA")}, "allows 'NA', which `missing` calls no value"),
        (str, {"str_matches": "^(KE|NA)$", "missing": ("", "NA")}, "allows 'NA'"),
        (str, {"eq": "NA", "missing": ("NA",)}, "allows 'NA'"),
        (int, {"isin": [1, -99], "missing": ("-99.0",)}, "allows '-99.0'"),
        (list[str], {"isin": ["a", "-"], "missing": ("-",)}, "allows '-'"),
        (int, {"default": -99, "missing": ("-99",)}, "has default -99, which `missing` calls no value"),
        (bool, {"true": ("1",), "false": ("NA",), "missing": ("", "na")}, "reads ['na'] as yes or no"),
        (bool, {"true": ("1", "Oui"), "false": ("0", "oui")}, "reads ['oui'] as yes and as no"),
        (int, {"ge": 5, "le": 2}, "allows no value at all: expected at least 5 and at most 2"),
        (float, {"gt": 1.5, "lt": 1.5}, "allows no value at all"),
        (int, {"in_range": (1, 5), "gt": 5}, "allows no value at all"),
        (date, {"ge": date(2024, 1, 1), "lt": date(2024, 1, 1)}, "allows no value at all"),
        (str, {"isin": []}, "allows none of all values"),
        (int, {"isin": [1, 7], "le": 5}, "allows 7, which another of its checks refuses: expected at most 5"),
        (str, {"isin": ["a", "b"], "notin": ["b"]}, "allows 'b', which another"),
        (str, {"eq": "abc", "str_length": (1, 2)}, "allows 'abc', which another"),
        (int, {"default": 0, "ge": 1}, "has default 0, which its own check refuses: expected at least 1"),
        (str, {"default": "none", "isin": ["a"]}, "has default 'none', which its own check refuses"),
        (Decimal, {"scale": 2, "default": Decimal("0.00"), "gt": 0}, "has default"),
        (int, {"default": 0, "derived": pl.col("visit").str.len_chars().cast(pl.Int64)}, "say one of them"),
        (str, {"unit": "kg"}, "says unit='kg' and is of type str, which measures nothing"),
        (bool, {"unit": "%"}, "measures nothing"),
        (float, {"symbols": ("-",)}, "says symbols ['-']"),
        (float, {"symbols": (" ",)}, "says symbols [' ']"),
        (list[str], {"isin": ["eat", "sell all"]}, "allows ['sell all'], which its separator takes apart"),
        (list[str], {"isin": ["a;b"], "separator": ";"}, "which its separator takes apart"),
        (float, {"aliases": ("\u200b",)}, "shows nothing"),
        (time, {"formats": ("%d/%m/%Y",)}, "cannot be read"),
        (str, {"formats": ("iso",)}, "says formats"),
    ],
)
def test_what_cannot_all_be_meant_is_refused_with_a_sentence(dtype: Any, said: dict[str, Any], message: str) -> None:
    with pytest.raises(Misdeclared) as refused:
        declared(dtype, **said)
    assert "column x" in str(refused.value)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"missing": ("", "NA")}, "allows 'NA', which `Format(missing=...)` calls no value"),
        ({"key": "visit"}, "key is the text 'visit'; expected a tuple of columns, such as ('visit',)"),
        ({"key": ("code",)}, "key names code, which has a default"),
        ({"max_bad_share": 20}, "max_bad_share is 20; expected a share from 0 to 1"),
        ({"encodings": ("cp12500",)}, "encodings names 'cp12500'"),
        ({"encodings": "cp1250"}, "encodings is the text 'cp1250'"),
        ({"delimiter": "||"}, "delimiter is '||'; expected one character"),
        ({"delimiter": "'", "quote": "'"}, "delimiter and quote are both"),
        ({"skip_lines": -1}, "skip_lines is -1"),
    ],
)
def test_settings_that_contradict_columns_or_each_other_are_refused(settings: dict[str, Any], message: str) -> None:
    columns = {"visit": column(str, "Visit."), "code": column(str, "Code.", isin=["KE", "NA"], default="KE")}
    with pytest.raises(Misdeclared) as refused:
        dataset(columns, **settings)
    assert message in str(refused.value)


def test_a_required_text_cannot_allow_the_empty_cell() -> None:
    with pytest.raises(Misdeclared, match="allows '', and an empty cell is no value"):
        declared(str, required=True, isin=["", "a"])
    assert values(declared(str, isin=["", "a"]), "a", "") == ["a", None]


def test_a_code_that_usually_means_no_value_is_one_where_the_contract_lists_it() -> None:
    assert values(declared(str, isin=["KE", "NA"]), "KE", "NA", "") == ["KE", "NA", None]
    assert values(declared(str, isin=["KE"]), "KE", "NA") == ["KE", None]
    assert values(declared(str, checks=(pa.Check.isin(["KE", "NA"], name="country"),)), "NA") == ["NA"]
    assert values(declared(list[str], isin=["KE", "NA"]), "NA", "KE NA", "-") == [["NA"], ["KE", "NA"], None]
    assert values(declared(bool, true=("x",), false=("-",)), "x", "-", "NA") == [True, False, None]


def test_a_single_text_is_one_code_or_alias_and_not_its_letters() -> None:
    contract = declared(int, missing="-99", aliases="HH size")

    assert values(contract, "9", "-99") == [9, None]
    assert contract.headers.column("HH size") == "x"
    assert contract.headers.column("H") is None
    plain = dataset({"x": column(int, "X.")}, missing="-99")
    assert values(plain, "9", "-99.0") == [9, None]


def test_columns_by_pattern_are_held_to_the_same() -> None:
    class Crops(pa.DataFrameModel):
        visit: str = field("Visit.")
        kg: float = field("Weight.", alias=r"crop_\w+_kg", regex=True, ge=5, le=2)

    with pytest.raises(Misdeclared, match="allows no value at all"):
        dataset(Crops.to_schema().columns)
