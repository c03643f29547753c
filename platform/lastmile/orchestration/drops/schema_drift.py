"""How the headers of drops differ from their contract, summarised so that 10,000 drops need no more room than ten."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from lastmile.contracts.contract import Contract

#: Columns reported of each kind, drops named for each, and characters of a name.
_COLUMNS, _DROPS, _CHARACTERS = 20, 3, 60

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


def undeclared(contract: Contract, drops: Sequence[Mapping[str, Any]]) -> list[str]:
    """What needs a decision: a sentence for each column that drops brought and the contract does not declare.

    One that was rescued, and that the contract has come to declare since, can be filled in.
    """
    found = []
    for kind in ("rescued", "added"):
        for column, keys in _by_column(kind, drops).items():
            now = contract.headers.column(column)
            if now is None or kind == "rescued" or contract.types()[now] != pl.String:
                found.append(f"{_cut(column)} ({_places(keys)}): {_MEANING[kind]}; {_advice(contract, kind, now)}")
    return _bounded(found, "")


def _advice(contract: Contract, kind: str, now: str | None) -> str:
    if now is None:
        return _TO_DO[kind]
    if now in contract.key:
        return f"part of the key by now: re-ingest the drops with `lastmile backfill --dataset {contract.name} --redo`"
    return f"declared by now: fill it in with `lastmile rescued fill --dataset {contract.name} --column {now}`"


def header_changes(drops: Sequence[Mapping[str, Any]]) -> str:
    """Everything that happened, as Markdown: by kind, each column with the drops it happened in, and what to do."""
    parts = []
    for kind, meaning in _MEANING.items():
        found = _by_column(kind, drops)
        lines = [f"- {_cut(column)}{': ' if column else ''}{_places(keys)}" for column, keys in found.items()]
        if lines:
            parts.append("\n".join([f"**{meaning}** ({_TO_DO[kind]})", *_bounded(lines, "- ")]))
    return "\n\n".join(parts)


def renamed(change: Mapping[str, Any]) -> str:
    """The headers of one drop that are not the names of the columns they were read as: `'HH size' read as persons`."""
    return ", ".join(
        _bounded([f"{_cut(name)!r} read as {column}" for name, column in change.get("renamed", {}).items()], "")
    )


def _by_column(kind: str, drops: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Keys of drops by what happened to which column; most often first."""
    found: dict[str, list[str]] = defaultdict(list)
    for drop in drops:
        if drop["state"] in ("loaded", "quarantined"):
            for column in _columns(drop["schema_change"].get(kind)):
                found[column].append(drop["key"])
    return dict(sorted(found.items(), key=lambda item: -len(item[1])))


def _columns(change: Sequence[str] | Mapping[str, str] | bool | None) -> Iterator[str]:
    if isinstance(change, Mapping):
        yield from (f"{name} → {column}" for name, column in change.items())
    elif isinstance(change, bool):
        yield ""
    elif change:
        yield from change


def _places(keys: Sequence[str]) -> str:
    more = f" and {len(keys) - _DROPS:,} more" if len(keys) > _DROPS else ""
    return f"{len(keys):,} drop{'s' if len(keys) > 1 else ''}: {', '.join(keys[:_DROPS])}{more}"


def _bounded(lines: list[str], bullet: str) -> list[str]:
    return lines if len(lines) <= _COLUMNS else [*lines[:_COLUMNS], f"{bullet}and {len(lines) - _COLUMNS:,} more"]


def _cut(name: str) -> str:
    return name if len(name) <= _CHARACTERS else f"{name[:_CHARACTERS]}…"
