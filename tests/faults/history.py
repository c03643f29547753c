"""What may happen to a small dataset over some days, made from a seed: the same seed is the same history.

A history is rounds. In each, people do things to objects while workers look for drops and take them, and things go
wrong with the workers. An `orderly` history has one worker at a time, so that even which of two equal rows comes first
is settled; in a crowded one several work at once, and objects change under their hands.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal

from faults.worker import POINTS

from lastmile.warehouse.drop_tables import LARGE_BYTES

HEADER = "visit,persons,hours,travel_hours,outcome"
PARTITIONS = ("2019", "2020")
Kind = Literal["rows", "refused", "unreadable", "over the threshold"]


@dataclass(frozen=True)
class Row:
    """A line of a file. `fate` is what its contract says of it; `mendable` ones fit once that is corrected."""

    visit: str
    values: tuple[Any, ...]
    fate: Literal["good", "bad", "mendable"] = "good"
    is_shared: bool = False

    def text(self) -> str:
        return ",".join([self.visit, *map(str, self.values)])


@dataclass(frozen=True)
class Content:
    """A file's bytes, and what they are known to hold: `rows` begin on line 2."""

    body: bytes
    kind: Kind = "rows"
    rows: tuple[Row, ...] = ()

    def __str__(self) -> str:
        fates = [row.fate for row in self.rows]
        shared = sum(row.is_shared for row in self.rows)
        return (
            f"{self.kind}: {len(fates)} ({fates.count('bad')} bad, {fates.count('mendable')} mendable, {shared} shared)"
        )


@dataclass(frozen=True)
class Change:
    """A user puts `content` under a key, or removes the object where it is None; `late`: while workers read."""

    key: str
    content: Content | None
    how: str
    late: bool = False

    def __str__(self) -> str:
        when = "while they work, " if self.late else ""
        return f"{when}{self.how} {self.key}" + (f" ({self.content})" if self.content else "")


@dataclass(frozen=True)
class Shift:
    """Workers that start concurrently, each with its steps and its fault."""

    workers: tuple[tuple[tuple[str, ...], tuple[Any, ...]], ...]

    def __str__(self) -> str:
        return " | ".join(f"{'+'.join(steps)}{': ' if fault else ''}{_told(fault)}" for steps, fault in self.workers)


@dataclass
class Round:
    changes: list[Change] = field(default_factory=list)
    shifts: list[Shift] = field(default_factory=list)
    is_mended: bool = False
    releases: bool = False
    shifts_of_release: list[Shift] = field(default_factory=list)
    redo: bool = False
    shifts_of_redo: list[Shift] = field(default_factory=list)


@dataclass
class History:
    seed: int
    is_orderly: bool
    contract: dict[str, Any]
    rounds: list[Round]
    #: Bytes from which on a drop has a table of its own.
    large: int

    def lines(self) -> list[str]:
        """The history to read."""
        shape = "orderly" if self.is_orderly else "crowded"
        told = [f"seed {self.seed}, {shape}, contract {self.contract or 'as declared'}, large from {self.large:,}"]
        for number, one in enumerate(self.rounds, 1):
            told.append(f"round {number}{', contract mended' if one.is_mended else ''}")
            told += [f"  {change}" for change in one.changes]
            told += [f"  take: {shift}" for shift in one.shifts]
            told += [f"  release: {shift}" for shift in one.shifts_of_release] or ["  release"] * one.releases
            told += [f"  redo: {shift}" for shift in one.shifts_of_redo] or ["  redo"] * one.redo
        return told


def history(seed: int) -> History:
    return _Author(Random(seed)).write(seed)


def _told(fault: Sequence[Any]) -> str:
    return " ".join(map(str, fault))


class _Author:
    """Knows what lies where, so that what happens next makes sense."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.versions: dict[str, list[Content]] = {}
        self.gone: set[str] = set()
        self.visits = 0

    def write(self, seed: int) -> History:
        is_orderly = self.random.random() < 0.4
        contract: dict[str, Any] = {}
        if self.random.random() < 0.15:
            contract["duplicates"] = "keep"
        if self.random.random() < 0.15:
            contract["same_content"] = "load"
        rounds = [self.round(is_orderly, number) for number in range(self.random.randint(2, 3))]
        return History(
            seed, is_orderly, contract, rounds, large=Random(seed).choice([LARGE_BYTES, LARGE_BYTES, 150, 0])
        )

    def round(self, is_orderly: bool, number: int) -> Round:
        random = self.random
        one = Round(is_mended=number > 0 and random.random() < 0.6)
        busy: set[str] = set()
        for _ in range(random.randint(2, 4)):
            change = self.change(busy)
            one.changes.append(change)
            if not is_orderly and change.content and random.random() < 0.2:
                one.changes.append(self.put(change.key, self.rows(change.key, shared=False), "overwrite", late=True))
        one.changes.sort(key=lambda change: change.late)
        one.shifts = [self.shift(is_orderly, ("look", "take")) for _ in range(random.randint(1, 2))]
        one.releases = one.is_mended and random.random() < 0.7
        if one.releases and random.random() < 0.7:
            one.shifts_of_release = [self.shift(is_orderly, ("take",))]
        one.redo = number > 0 and random.random() < 0.3
        if one.redo:
            one.shifts_of_redo = [self.shift(is_orderly, ("redo",))]
        return one

    def change(self, busy: set[str]) -> Change:
        """One action on an object, the only one on it in this round."""
        random = self.random
        there = sorted(set(self.versions) - self.gone - busy)
        deed = random.choices(
            ["new", "overwrite", "touch", "return", "copy", "remove"],
            [6, 3, 1, 1.5, 1.5, 1] if there else [1, 0, 0, 0, 0, 0],
        )[0]
        key = random.choice(there) if there else ""
        partition = random.choice(PARTITIONS) if deed == "new" else key.split("/")[2]
        if deed in ("new", "copy"):
            source, key = key, f"landing/visits/{partition}/{len(self.versions)}.csv"
        busy.add(key)
        match deed:
            case "touch":
                return self.put(key, self.versions[key][-1], "put again")
            case "return":
                return self.put(key, random.choice(self.versions[key]), "put an earlier version of")
            case "copy":
                return self.put(key, self.versions[source][-1], f"copy {source} to")
            case "remove":
                self.gone.add(key)
                return Change(key, None, "remove")
        return self.put(key, self.content(key), deed)

    def put(self, key: str, content: Content, how: str, late: bool = False) -> Change:
        self.versions.setdefault(key, []).append(content)
        return Change(key, content, how, late)

    def content(self, key: str) -> Content:
        roll = self.random.random()
        if roll < 0.07:
            rows = [self.row(key, "bad") for _ in range(3)] + [self.row(key)]
            self.random.shuffle(rows)
            return Content(_body(rows), "over the threshold", tuple(rows))
        if roll < 0.12:
            return Content(f"persons,hours\n{self.random.randint(0, 50)},2\n".encode(), "refused")
        if roll < 0.17:
            return Content(b"PAR1" + self.random.randbytes(40), "unreadable")
        if roll < 0.2:
            return Content(f"{HEADER}\n".encode())
        return self.rows(key)

    def rows(self, key: str, shared: bool = True) -> Content:
        random = self.random
        rows = [self.row(key) for _ in range(random.randint(3, 12))]
        rows += [self.row(key, "bad") for _ in range(random.randint(0, 1))]
        rows += [self.row(key, "mendable") for _ in range(random.randint(0, 2))]
        if shared:
            rows += [_shared(number) for number in random.sample(range(5), random.choice([0, 0, 1, 2]))]
        if random.random() < 0.3:
            rows.append(self.row(key, visit=rows[0].visit))
        random.shuffle(rows)
        return Content(_body(rows), "rows", tuple(rows))

    def row(self, key: str, fate: Any = "good", visit: str | None = None) -> Row:
        random = self.random
        self.visits += 1
        persons: Any = random.randint(0, 50)
        hours, travel = random.randint(4, 9), random.randint(0, 4)
        if fate == "mendable":
            persons = random.randint(51, 60)
        elif fate == "bad" and random.random() < 0.5:
            persons = "many"
        elif fate == "bad":
            travel = hours + 1
        name = visit or f"{key.rsplit('/', 1)[-1].removesuffix('.csv')}-{self.visits}"
        return Row(name, (persons, float(hours), float(travel), random.choice(["done", "absent"])), fate)

    def shift(self, is_orderly: bool, steps: tuple[str, ...]) -> Shift:
        first = (steps, self.fault(is_orderly, steps))
        if is_orderly:
            return Shift((first,))
        other = self.random.choice([("look", "take"), ("look", "take"), ("look",), ("redo",)])
        return Shift((first, (other, self.fault(is_orderly, other))))

    def fault(self, is_orderly: bool, steps: Sequence[str]) -> tuple[Any, ...]:
        random = self.random
        kinds = {"die at": 5, "die at line": 5, "die after ms": 3, "session cut after ms": 1, "": 1}
        if not is_orderly:
            kinds |= {"stop at": 2, "full disk": 1, "few files": 0.5, "": 2}
        match kind := random.choices(list(kinds), list(kinds.values()))[0]:
            case "die at" | "stop at":
                return (kind, random.choice(_points(steps)), random.choice([1, 1, 1, 2, 3]))
            case "die at line":
                return (kind, int(10 ** random.uniform(1, 3.6)))
            case "die after ms" | "session cut after ms":
                return (kind, random.randint(5, 250))
            case "":
                return ()
        return (kind,)


def _shared(number: int) -> Row:
    """A row that several files may have, the same in each: which of them is the first does not show in its values."""
    return Row(f"shared-{number}", (number, 4.0, 1.0, "done"), is_shared=True)


def _points(steps: Sequence[str]) -> list[str]:
    """The points that workers with these steps may pass: only one sent for a release passes that."""
    return [point for point in POINTS if ("release" in point) <= (steps == ("take",))]


def _body(rows: Sequence[Row]) -> bytes:
    return "\n".join([HEADER, *(row.text() for row in rows), ""]).encode()
