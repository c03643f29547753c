"""What a contract says that cannot all be meant: a fault when it is declared, since any drop would be misread by it."""

import codecs
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from lastmile.contracts.casts import words
from lastmile.contracts.checks import RowCheck, allowed_values, interval, named_values

if TYPE_CHECKING:
    from lastmile.contracts.contract import Contract

#: Types of column that measure nothing.
WITHOUT_UNIT = ("text", "boolean", "JSON", "list of codes")
#: What numbers are written with besides symbols.
OF_NUMBERS = frozenset("0123456789+-.,")


def contradictions(contract: "Contract") -> Iterator[str]:
    """A sentence for each; asked of contracts whose columns and checks are otherwise in order."""
    for name in contract.table.columns:
        for fault in (*_of_values(contract, name), *_of_missing(contract, name), *_of_form(contract, name)):
            yield f"column {name} {fault}"
    for name, spec in contract.columns.items():
        if name in contract.key and spec.default is not None:
            yield f"key names {name}, which has a default: all rows without it would be one; take the default out"
    if not 0 <= contract.policy.max_bad_share <= 1:
        yield f"max_bad_share is {contract.policy.max_bad_share!r}; expected a share from 0 to 1"
    yield from _of_files(contract)


def _of_values(contract: "Contract", name: str) -> Iterator[str]:
    """Checks that no value can pass, and allowed or default values that one of them refuses."""
    checks, spec = contract.checks[name], contract.table.columns[name]
    lists = [check for check in checks if allowed_values(check.check) == []]
    yield from ("allows none of all values: list some, or leave the check out" for _ in lists)
    yield from _of_bounds(checks)
    allowed = [value for check in checks for value in allowed_values(check.check) or ()]
    if len(checks) > 1:
        for value, check in _refused(contract, name, allowed):
            yield f"allows {value!r}, which another of its checks refuses: expected {check.expected}"
    if spec.default is not None:
        for _, check in _refused(contract, name, [spec.default]):
            yield f"has default {spec.default!r}, which its own check refuses: expected {check.expected}"
        if contract.metadata(name)["derived"] is not None:
            yield "has a default, so that what it is derived from is never used; say one of them"


def _of_bounds(checks: Sequence[RowCheck]) -> Iterator[str]:
    found = [(check, interval(check.check)) for check in checks]
    for low, (bottom, _, includes_bottom, _) in found:
        for high, (_, top, _, includes_top) in found:
            are_comparable = type(bottom) is type(top) or _are_numbers(bottom, top)
            if bottom is None or top is None or not are_comparable:
                continue
            if bottom > top or (bottom == top and not (includes_bottom and includes_top)):
                yield f"allows no value at all: expected {low.expected} and {high.expected}"


def _are_numbers(*values: Any) -> bool:
    return all(isinstance(value, int | float) for value in values)


def _refused(contract: "Contract", name: str, values: Sequence[Any]) -> Iterator[tuple[Any, RowCheck]]:
    """The values of a column that one of its checks refuses, each with the first of them."""
    dtype = contract.table.columns[name].dtype.type
    cells = [[value] if dtype == pl.List and not isinstance(value, list) else value for value in values]
    frame = pl.DataFrame({name: cells}, schema={name: dtype}, strict=False)
    found: dict[int, RowCheck] = {}
    for check in contract.checks[name] if values else ():
        broken = check.breaks()
        if broken is not None and check.is_by_row and set(broken.meta.root_names()) <= {name, ""}:
            for place in frame.select(broken.alias(name))[name].fill_null(False).arg_true():
                found.setdefault(place, check)
    yield from ((values[place], check) for place, check in found.items())


def _of_missing(contract: "Contract", name: str) -> Iterator[str]:
    """Values that are said to be meant and to stand for none."""
    said, codes = contract.stated_missing(name), contract.missing(name)
    spec, how, kind = contract.table.columns[name], contract.reading(name), contract.kinds[name]
    meant = [value for check in contract.checks[name] for value in named_values(check.check)]
    if "" in meant and "" in codes and not spec.nullable:
        yield "allows '', and an empty cell is no value; make it nullable, or take '' from the allowed values"
    if said is None:
        return
    where = "`missing`" if contract.metadata(name)["missing"] is not None else "`Format(missing=...)`"
    for code in filter(None, said):
        value = pl.select(kind.read(pl.lit(code), how)).item()
        values = value.to_list() if isinstance(value, pl.Series) else [value]
        if code in meant or any(one in meant for one in values if one is not None):
            yield f"allows {code!r}, which {where} calls no value; take it from one of them, or give the column its own"
        elif spec.default is not None and spec.default in (code, *values):
            yield f"has default {spec.default!r}, which {where} calls no value; take it from one of them"
    if how.true or how.false:
        true, false = words(how)
        both = [code for code in said if code.lower() in (*true, *false)]
        if both:
            yield f"reads {both} as yes or no, and {where} calls them no value; take them from one of them"


def _of_form(contract: "Contract", name: str) -> Iterator[str]:
    """Words for the form of cells that mean nothing to the type, or two things."""
    metadata, kind, how = contract.metadata(name), contract.kinds[name], contract.reading(name)
    if metadata["unit"] is not None and kind.name in WITHOUT_UNIT:
        yield (
            f"says unit={metadata['unit']!r} and is of type {kind.annotation}, which measures nothing; make it a "
            "number, or leave the unit out"
        )
    true, false = words(how)
    both = sorted(set(true) & set(false))
    if both:
        yield f"reads {both} as yes and as no; take them from one of `true` and `false`"
    unclear = [symbol for symbol in metadata["symbols"] if not symbol.strip() or not OF_NUMBERS.isdisjoint(symbol)]
    if unclear:
        yield f"says symbols {unclear}, with characters that numbers are written with; expected signs such as € or %"
    if kind.name == "list of codes":
        meant = [str(value) for check in contract.checks[name] for value in allowed_values(check.check) or ()]
        parts = {code: code.split(how.separator) for code in meant}
        split = [code for code, found in parts.items() if found != [code]]
        if split:
            yield f"allows {split}, which its separator takes apart; say another `separator`"


def _of_files(contract: "Contract") -> Iterator[str]:
    said = contract.format
    if isinstance(said.encodings, str):
        yield f"encodings is the text {said.encodings!r}; expected a tuple, such as ({said.encodings!r},)"
        return
    for encoding in said.encodings:
        try:
            codecs.lookup(encoding)
        except LookupError:
            yield f"encodings names {encoding!r}, which is none that Python knows; expected such as cp1252"
    if said.delimiter is not None and len(said.delimiter) != 1:
        yield f"delimiter is {said.delimiter!r}; expected one character"
    if said.quote is not None and len(said.quote) > 1:
        yield f"quote is {said.quote!r}; expected one character, or '' for none"
    if said.delimiter and said.delimiter == said.quote:
        yield f"delimiter and quote are both {said.quote!r}; expected two characters"
    if said.skip_lines < 0:
        yield f"skip_lines is {said.skip_lines}; expected 0 or more"
