"""The expected result of a history, computed without the engine: the oracle for its end."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from faults.history import Content, Row

States = tuple[str, ...]


@dataclass
class Version:
    """An object as a user put it; `is_racy` where it was replaced while workers might have read it."""

    version: str
    content: Content
    is_racy: bool = False


@dataclass
class Taken:
    """A drop at the end: its ledger row, and the rows there are of it by line."""

    ledger: dict[str, Any]
    visible: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    bad: set[int] = field(default_factory=set)
    duplicate: dict[int, str] = field(default_factory=dict)
    cleaned: dict[int, str] | None = None

    @property
    def place(self) -> str:
        return f"drop {self.ledger['id']} ({self.ledger['key']}, {self.ledger['state']})"


def faults(
    put: dict[str, list[Version]],
    taken: Sequence[Taken],
    contract: dict[str, Any],
    mended_version: str,
    released: set[int],
) -> Iterator[str]:
    """One sentence for everything that is not as it must be; none where the history ended well."""
    contents = {(key, version.version): version.content for key, versions in put.items() for version in versions}
    by_key: dict[str, list[Taken]] = {}
    for one in taken:
        by_key.setdefault(one.ledger["key"], []).append(one)
        if (one.ledger["key"], one.ledger["version"]) not in contents:
            yield f"{one.place} is of a version that nobody put"
            return
    for key, versions in put.items():
        yield from _lost(key, versions, by_key.get(key, []))
        yield from _states(key, versions, by_key.get(key, []), contents, taken, contract)
    keeps_all = contract.get("duplicates") == "keep"
    content_of = {one.ledger["id"]: contents[one.ledger["key"], one.ledger["version"]] for one in taken}
    for one in taken:
        if one.ledger["state"] in ("discovered", "claimed"):
            yield f"{one.place} is not at its end"
        is_mended = one.ledger["contract_version"] == mended_version
        yield from _rows(one, content_of, is_mended, one.ledger["id"] in released, keeps_all)
    if not keeps_all:
        yield from _seen_once(taken, content_of)


def _lost(key: str, versions: Sequence[Version], there: Sequence[Taken]) -> Iterator[str]:
    """Every version that was sure to be listed is there, in the order in which they were put."""
    found = [one.ledger["version"] for one in there]
    for version in versions:
        if not version.is_racy and version.version not in found:
            yield f"{key}: its version {version.version} ({version.content}) is nowhere in the ledger"
    last = [one for one in there if one.ledger["version"] == versions[-1].version]
    if last and last[-1] is not there[-1] and last[-1].ledger["state"] not in ("loaded", "quarantined", "duplicate"):
        yield f"{key}: put last was {versions[-1].version}, entered last {found[-1]}"


def _states(
    key: str,
    versions: Sequence[Version],
    there: Sequence[Taken],
    contents: dict[tuple[str, str], Content],
    taken: Sequence[Taken],
    contract: dict[str, Any],
) -> Iterator[str]:
    racy = {version.version for version in versions if version.is_racy}
    partition = key.split("/")[2]
    elsewhere = {
        contents[one.ledger["key"], one.ledger["version"]].body
        for one in taken
        if one.ledger["key"] != key and one.ledger["partition"] == partition
    }
    ways: set[States] = {()}
    bodies = [contents[key, one.ledger["version"]].body for one in there]
    for number, one in enumerate(there):
        content = contents[key, one.ledger["version"]]
        may_skip = content.body in elsewhere and contract.get("same_content") != "load"
        is_racy = one.ledger["version"] in racy
        ways = {way for before in ways for way in _next(before, bodies[: number + 1], content, may_skip, is_racy)}
    found = tuple(one.ledger["state"] for one in there)
    if found not in ways:
        yield f"{key}: its versions are {list(found)}, expected {' or '.join(str(list(way)) for way in sorted(ways))}"
    if found and found[-1] == "duplicate" and not _is_in_force(bodies[-1], there, contents, taken):
        yield f"{key}: is a duplicate of bytes that are nowhere in force"


def _is_in_force(body: bytes, there: Sequence[Taken], contents: Any, taken: Sequence[Taken]) -> bool:
    partition = there[0].ledger["partition"]
    return any(
        contents[one.ledger["key"], one.ledger["version"]].body == body
        and one.ledger["state"] in ("loaded", "quarantined")
        and one.ledger["partition"] == partition
        for one in taken
    )


def _next(before: States, bodies: Sequence[bytes], content: Content, may_skip: bool, is_racy: bool) -> Iterator[States]:
    """What may have become of one more version of an object, and of its older ones by that."""
    replaced = tuple("superseded" if state in ("loaded", "quarantined", "duplicate") else state for state in before)
    in_force = {body for body, state in zip(bodies, before, strict=False) if state in ("loaded", "quarantined")}
    is_readable = content.kind in ("rows", "over the threshold")  # what is refused at its header is validated each time
    if is_racy:
        yield (*before, "superseded")
        yield (*before, "duplicate")
    if content.body in in_force and is_readable:
        yield (*before, "duplicate")
    elif content.kind != "rows":
        yield (*before, "quarantined")
    else:
        yield (*replaced, "loaded")
        if may_skip:
            yield (*replaced, "duplicate")


def _rows(
    one: Taken, content_of: dict[int, Content], is_mended: bool, is_released: bool, keeps_all: bool
) -> Iterator[str]:
    content = content_of[one.ledger["id"]]
    if one.ledger["state"] != "loaded":
        if one.visible:
            yield f"{one.place} has {len(one.visible)} rows to be seen"
        if one.ledger["state"] == "quarantined":
            expected = {line for line, row in enumerate(content.rows, 2) if row.fate == "bad"}
            if not expected <= one.bad:
                yield f"{one.place}: set aside are lines {sorted(one.bad)}, expected {sorted(expected)}"
        return
    seen: set[str] = set()
    for line, row in enumerate(content.rows, 2):
        is_good = row.fate == "good" or (row.fate == "mendable" and (is_mended or is_released))
        is_repeat = is_good and row.visit in seen and not keeps_all
        if is_good:
            seen.add(row.visit)
        yield from _row(one, content_of, line, row, is_good, is_repeat)
    strangers = (set(one.visible) | one.bad | set(one.duplicate)) - set(range(2, len(content.rows) + 2))
    if strangers:
        yield f"{one.place} has rows of lines that its file does not have: {sorted(strangers)}"
    if (one.cleaned or {}) != {line: values[0] for line, values in one.visible.items()}:
        yield f"{one.place}: its cleaned file has lines {sorted(one.cleaned or {})}, its table {sorted(one.visible)}"


def _row(
    one: Taken, content_of: dict[int, Content], line: int, row: Row, is_good: bool, is_repeat: bool
) -> Iterator[str]:
    where = f"{one.place}, line {line} ({row.visit})"
    places = [line in one.visible, line in one.bad, line in one.duplicate]
    if sum(places) != 1:
        yield f"{where}: expected it in one place, found it to be seen, bad, duplicate: {places}"
    elif not is_good and not places[1]:
        yield f"{where}: expected it to be set aside as bad"
    elif is_good and places[1]:
        yield f"{where}: expected it to be good, it is set aside as bad"
    elif is_repeat and places[0]:
        yield f"{where}: repeats a row of its own file, and is to be seen all the same"
    elif places[2] and not is_repeat and not _is_elsewhere(row, one.duplicate[line], one.ledger["id"], content_of):
        yield f"{where}: is called a duplicate, and is none: {one.duplicate[line]}"
    elif places[0] and one.visible[line] != (row.visit, *row.values):
        yield f"{where}: expected the values {row.values}, found {one.visible[line]}"


def _is_elsewhere(row: Row, why: str, drop: int, content_of: dict[int, Content]) -> bool:
    """Whether the line of another drop that is named as the first does have this row's key."""
    named = re.search(r"first seen in line (\d+) of drop (\d+)", why)
    if named is None or int(named[2]) == drop:
        return False
    line, first = int(named[1]), content_of[int(named[2])]
    return first.rows[line - 2].visit == row.visit


def _seen_once(taken: Sequence[Taken], content_of: dict[int, Content]) -> Iterator[str]:
    seen = Counter((one.ledger["partition"], values[0]) for one in taken for values in one.visible.values())
    for (partition, visit), times in seen.items():
        if times > 1:
            yield f"{visit} is to be seen {times} times in {partition}"
