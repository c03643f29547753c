"""How a delimited file writes its numbers: with decimal points or commas, and in groups of thousands or not.

`1.234` is one number in Berlin and another in Boston, so no cell is read by itself. Cells that can be read in one way
only (`0,5`, `1.234,5`, `1,234,567`) are evidence, and the format they show holds for the whole file. Without evidence a
point is a decimal point. Where evidence goes both ways, that of at least nine in ten cells holds, and the stray ones
cost their rows; a file that is more of a mixture is refused where a cell depends on it.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from lastmile.contracts.casts import symbols_pattern
from lastmile.contracts.contract import Contract
from lastmile.ingestion.batch import RawBatch, Refused
from lastmile.ingestion.validation.header_match import fit

#: What may stand between groups besides the other sign: blanks, also those that do not break a line, and apostrophes.
BETWEEN = " \u00a0\u202f'\u2019"
#: So many cells must show a format for each that shows the other, if those are to be typing errors.
_STRAY = 9
SIGN, EXPONENT = "[+-]?", r"(?:[eE][+-]?\d+)?"


def _number(decimal: str, thousands: str) -> str:
    groups = rf"[1-9]\d{{0,2}}(?:(?P<group>[{thousands}{BETWEEN}])\d{{3}})(?:(?P=group)\d{{3}})*"
    fraction = rf"[{decimal}]\d*"
    return rf"^{SIGN}(?:(?:{groups}|\d+)(?:{fraction})?|{fraction}){EXPONENT}$"


#: What most columns are, seen at once: digits, with a point or none; and which of these could be of either format.
_POINTED = re.compile(r"(?:[+-]?\d*+(?:\.\d*+)?\n)*+")
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}\.\d{3}")
POINT, COMMA = re.compile(_number(".", ",")), re.compile(_number(",", "."))


@dataclass
class Evidence:
    """What the cells of one column show: cells that can be read in one way only, and one that can be in both."""

    points: list[str] = field(default_factory=list)
    commas: list[str] = field(default_factory=list)
    either: list[str] = field(default_factory=list)
    groups: set[str] = field(default_factory=set)

    def add(self, cell: str, times: int) -> None:
        point, comma = POINT.match(cell), COMMA.match(cell)
        if point and comma and ("." in cell or "," in cell):
            self.either += [cell] * times
        elif found := point or comma:
            self.groups.add(found["group"] or "")
            if not comma:
                self.points += [cell] * times
            elif not point:
                self.commas += [cell] * times


def number_format(columns: Mapping[str, Evidence], contract: Contract) -> dict[str, str]:
    """`decimal` and `thousands` of a file whose start shows this, where they are not a point and none.

    Raises Refused where columns go both ways and one has cells that could be read in either.
    """
    points = [cell for column in columns.values() for cell in column.points]
    commas = [cell for column in columns.values() for cell in column.commas]
    is_mixture = len(points) < _STRAY * len(commas) and len(commas) < _STRAY * len(points)
    if contract.format.decimal is None and is_mixture:
        _refuse_either(columns, points[0], commas[0])
    shows_commas = len(commas) > len(points) and not is_mixture
    is_comma = contract.format.decimal == "," or (contract.format.decimal is None and shows_commas)
    decimal, other = (",", ".") if is_comma else (".", ",")
    groups = set().union(*(column.groups for column in columns.values())) - {"", decimal}
    if contract.format.decimal is not None and any(column.either for column in columns.values()):
        groups |= {other}
    thousands = groups.pop() if len(groups) == 1 else ""
    return {"decimal": decimal, "thousands": thousands} if is_comma or thousands else {}


def evidence(header: Sequence[str], rows: Iterable[Sequence[str] | None], contract: Contract) -> dict[str, Evidence]:
    """What these rows show, by header of a column of numbers."""
    contract = contract.expanded(header)
    found, _ = fit(contract, header)
    cells = dict(zip(header, zip(*filter(None, rows), strict=True), strict=False))
    return {
        name: _shown_by(cells.get(name, ()), contract.missing(column), contract.metadata(column)["symbols"])
        for column, name in found.items()
        if contract.kinds[column].is_number
    }


def _shown_by(cells: Sequence[str], missing: Collection[str], symbols: Sequence[str]) -> Evidence:
    if symbols:
        before, behind = symbols_pattern(symbols)
        cells = [re.sub(behind, "", re.sub(before, r"\1", cell.strip())) for cell in cells]
    joined = "\n".join([*cells, ""])
    shown = Evidence()
    if _POINTED.fullmatch(joined) and joined.count("\n") == len(cells):
        pointed = [cell for cell in cells if "." in cell and cell not in missing]
        for cell in pointed:
            (shown.either if _GROUPED.fullmatch(cell) else shown.points).append(cell)
        return shown
    for cell, times in Counter(map(str.strip, cells)).items():
        if cell and not cell.isdecimal() and cell not in missing:  # most cells are digits only, and show nothing
            shown.add(cell, times)
    return shown


def _refuse_either(columns: Mapping[str, Evidence], point: str, comma: str) -> None:
    for name, column in columns.items():
        if column.either and (column.commas or not column.points):
            raise Refused(
                f"column {name!r}: expected numbers with decimal points or with decimal commas, found both in the "
                f"file, {point!r} and {comma!r}, so that {column.either[0]!r} could be either. Write them in one way, "
                "or name `decimal` in the contract."
            )


def is_undecided(columns: Mapping[str, Evidence], contract: Contract) -> bool:
    """Whether nothing in the start of a file shows what a point is, so that later rows may."""
    return contract.format.decimal is None and not any(column.points or column.commas for column in columns.values())


def watched(batches: Iterator[RawBatch], contract: Contract) -> Iterator[RawBatch]:
    """The batches of an undecided file. Raises Refused where a decimal comma comes after what was read as a point."""
    either: tuple[str, int] | None = None
    for batch in batches:
        contract = contract.expanded(batch.frame.columns)
        found, _ = fit(contract, batch.frame.columns)
        for column in (name for name in found if contract.kinds[name].is_number):
            cells = batch.frame[found[column]]
            either = either or _first(cells, batch.lines, ".", COMMA)
            comma = either and _first(cells, batch.lines, ",", COMMA)
            if either and comma and not POINT.match(comma[0]):
                raise Refused(
                    f"line {comma[1]}: expected numbers with decimal points as before, found {comma[0]!r} with a "
                    f"comma, so that {either[0]!r} in line {either[1]} could be either. Write them in one way, or name "
                    "`decimal` in the contract."
                )
        yield batch


def _first(cells: pl.Series, lines: pl.Series, sign: str, form: re.Pattern[str]) -> tuple[str, int] | None:
    for place in cells.str.contains(sign, literal=True).fill_null(False).arg_true().to_list():
        cell = cells[place].strip()
        if form.match(cell):
            return cell, lines[place]
    return None
