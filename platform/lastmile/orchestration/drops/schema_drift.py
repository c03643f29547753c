"""How the headers of drops differ from their contract, summarised so that 10,000 drops need no more room than ten."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from lastmile.contracts.contract import Contract
from lastmile.ledger.query import HeaderChange

#: Columns reported of each kind, drops named for each, and characters of a name.
_COLUMNS, NAMED, _CHARACTERS = 20, 3, 60

_MEANING = {
    "rescued": "not declared, kept as JSON in `_rescued`",
    "added": "not declared, added to the table as text",
    "missing": "declared, missing and so empty",
    "renamed": "read as a column by an alias, or by a name that differs in case, blanks or punctuation",
    "reordered": "in another order than declared",
}
_TO_DO = {
    "rescued": "declare it, or have it left out of the files",
    "added": "declare it with its type and meaning, or have it left out of the files",
    "missing": "nothing to do where not every file has every column; otherwise a question to the senders",
    "renamed": "nothing to do where it is the right column; otherwise declare it as one of its own",
    "reordered": "nothing to do",
}


@dataclass
class _Places:
    """How many drops something happened in, and the keys of the first of them."""

    drops: int = 0
    keys: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        more = f" and {self.drops - len(self.keys):,} more" if self.drops > len(self.keys) else ""
        return f"{self.drops:,} drop{'s' if self.drops > 1 else ''}: {', '.join(self.keys)}{more}"


def undeclared(contract: Contract, changes: Sequence[HeaderChange]) -> list[str]:
    """What needs a decision: a sentence for each column that drops brought and the contract does not declare.

    One that was rescued, and that the contract has come to declare since, can be filled in.
    """
    found = []
    for kind in ("rescued", "added"):
        for column, places in _by_column(kind, changes).items():
            now = contract.headers.column(column)
            if now is None or kind == "rescued" or contract.types()[now] != pl.String:
                found.append(f"{_cut(column)} ({places}): {_MEANING[kind]}; {_advice(contract, kind, now)}")
    return _bounded(found, "")


def _advice(contract: Contract, kind: str, now: str | None) -> str:
    if now is None:
        return _TO_DO[kind]
    if now in contract.key:
        return f"part of the key by now: re-ingest the drops with `lastmile backfill --dataset {contract.name} --redo`"
    return f"declared by now: fill it in with `lastmile rescued fill --dataset {contract.name} --column {now}`"


def described(changes: Sequence[HeaderChange]) -> str:
    """Everything that happened, as Markdown: by kind, each column with the drops it happened in, and what to do."""
    parts = []
    for kind, meaning in _MEANING.items():
        found = _by_column(kind, changes)
        lines = [f"- {_cut(column)}{': ' if column else ''}{places}" for column, places in found.items()]
        if lines:
            parts.append("\n".join([f"**{meaning}** ({_TO_DO[kind]})", *_bounded(lines, "- ")]))
    return "\n\n".join(parts)


def renamed(change: Mapping[str, Any]) -> str:
    """The headers of one drop that are not the names of the columns they were read as: `'HH size' read as persons`."""
    return ", ".join(
        _bounded([f"{_cut(name)!r} read as {column}" for name, column in change.get("renamed", {}).items()], "")
    )


def _by_column(kind: str, changes: Sequence[HeaderChange]) -> dict[str, _Places]:
    """In which drops it happened to which column; most often first."""
    found: dict[str, _Places] = {}
    for one in changes:
        for column in _columns(one.change.get(kind)):
            places = found.setdefault(column, _Places())
            places.drops += one.drops
            places.keys += one.keys[: NAMED - len(places.keys)]
    return dict(sorted(found.items(), key=lambda item: -item[1].drops))


def _columns(change: Sequence[str] | Mapping[str, str] | bool | None) -> Iterator[str]:
    if isinstance(change, Mapping):
        yield from (f"{name} → {column}" for name, column in change.items())
    elif isinstance(change, bool):
        yield ""
    elif change:
        yield from change


def _bounded(lines: list[str], bullet: str) -> list[str]:
    return lines if len(lines) <= _COLUMNS else [*lines[:_COLUMNS], f"{bullet}and {len(lines) - _COLUMNS:,} more"]


def _cut(name: str) -> str:
    return name if len(name) <= _CHARACTERS else f"{name[:_CHARACTERS]}…"
