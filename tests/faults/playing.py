"""Plays a history on a stage: with real workers and everything that goes wrong with them, or with nothing wrong."""

import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import psycopg
from declaring import changed
from faults import model
from faults.history import Change, History, Shift
from faults.worker import mended
from faults.workers import Workers
from faults.zygote import ENVIRONMENT
from psycopg.rows import dict_row
from visits import VISITS, YEARS

from lastmile.contracts import Contract
from lastmile.ingestion import worker
from lastmile.ingestion.discovery.listing import discover
from lastmile.ledger.audit import violations
from lastmile.quarantine.release import ask
from lastmile.store import Changed, Missing, Store, StoredObject
from lastmile.warehouse.tables import ensure_table

#: Clean workers after which a history that is still not at rest never will be.
MOST_DRAINS = 15
END_SESSIONS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
COLUMNS = "visit, persons, hours, travel_hours, outcome"


@dataclass
class Stage:
    """A database and a store of their own, emptied for every history; and a full disk, where there can be one."""

    database_url: str
    connection: psycopg.Connection
    store: Store
    workers: Workers
    full_disk: Path | None = None
    hits: Counter[str] = field(default_factory=Counter)
    #: Called with the history's random numbers before every shift: makes the store's way a bad one.
    disturb: Callable[[Random], None] = lambda random: None
    calm: Callable[[], None] = lambda: None

    def clear(self) -> None:
        """Begin anew, whatever a history that went wrong has left behind."""
        self.workers.kill_all()
        self.calm()
        self.connection.close()
        self.connection = psycopg.connect(self.database_url, autocommit=True, options="-c lock_timeout=20s")
        self.connection.execute(END_SESSIONS)
        for listed in list(self.store.list("")):
            self.store.delete(listed.key)
        ensure_table(self.connection, VISITS)
        self.connection.execute("DROP SCHEMA large_drops CASCADE; CREATE SCHEMA large_drops")
        self.connection.execute(
            "TRUNCATE ledger.drops, ledger.events, quarantine.rows, quarantine.discarded, raw.visits RESTART IDENTITY"
        )


@dataclass
class Play:
    """A history under way on a stage."""

    stage: Stage
    history: History
    put: dict[str, list[model.Version]] = field(default_factory=dict)
    released: set[int] = field(default_factory=set)
    is_mended: bool = False
    started: int = 0

    def with_faults(self) -> list[str]:
        """Play it with everything that goes wrong; what is wrong with its end."""
        self.stage.clear()
        random = Random(self.history.seed)
        for one in self.history.rounds:
            self.is_mended |= one.is_mended
            self.change([change for change in one.changes if not change.late])
            late = [change for change in one.changes if change.late]
            for shift in one.shifts:
                self.shift(shift, random, late)
                late = []
            self.drain("look", "take")
            if one.releases:
                self.ask(Random(self.history.seed))
                for shift in one.shifts_of_release:
                    self.shift(shift, random)
                self.drain("look", "take")
            if one.redo:
                for shift in one.shifts_of_redo:
                    self.shift(shift, random)
                self.drain("redo")
                self.drain("look", "take")
        return self.faults()

    def without(self) -> list[str]:
        """Play it in this process, with nothing going wrong."""
        self.stage.clear()
        for one in self.history.rounds:
            self.is_mended |= one.is_mended
            self.change(one.changes)
            self.take(look=True)
            if one.releases:
                self.ask(Random(self.history.seed))
                self.take()
            if one.redo:
                self.take(redo=True)
        return self.faults()

    def change(self, changes: Sequence[Change]) -> None:
        for change in changes:
            if change.content is None:
                self.stage.store.delete(change.key)
                continue
            self.stage.store.put(change.key, change.content.body)
            version = self.stage.store.head(change.key).version
            known = self.put.setdefault(change.key, [])
            if change.late:
                known[-1].is_racy = True
            known.append(model.Version(version, change.content))

    def ask(self, random: Random) -> None:
        """Ask for the rows set aside of half of the drops to be released, and for one drop to be taken whole."""
        query = "SELECT drop_id, array_agg(DISTINCT line) FROM quarantine.rows GROUP BY drop_id ORDER BY drop_id"
        rows = {drop: lines for drop, lines in self.stage.connection.execute(query).fetchall() if random.random() < 0.5}
        aside = self.stage.connection.execute("SELECT id FROM ledger.drops WHERE state = 'quarantined' ORDER BY id")
        whole = [drop for (drop,) in aside.fetchall()][:1]
        self.released |= {drop for drop in ask(self.stage.connection, rows, whole) if self.has_bytes(drop)}

    def has_bytes(self, drop: int) -> bool:
        """Whether what was taken can still be read: without versions, other bytes put over it are the end of it."""
        query = "SELECT key, version, modified_at FROM ledger.drops WHERE id = %s"
        ((key, taken, modified_at),) = self.stage.connection.execute(query, [drop]).fetchall()
        (body,) = {version.content.body for version in self.put[key] if version.version == taken}
        same = [version.version for version in self.put[key] if version.content.body == body]
        return any(self.is_there(StoredObject(key, len(body), version, modified_at)) for version in same)

    def is_there(self, listed: StoredObject) -> bool:
        try:
            with TemporaryDirectory() as folder:
                self.stage.store.fetch(listed, Path(folder) / "copy")
        except (Changed, Missing):
            return False
        return True

    def take(self, look: bool = False, redo: bool = False) -> None:
        contract, stage = self.contract(), self.stage
        if look:
            discover(stage.connection, stage.store, {contract.name: contract})
        worker.ingest_pending(stage.connection, stage.store, contract, YEARS, "without faults", redo)

    def contract(self) -> Contract:
        contract = changed(VISITS, **self.history.contract)
        return mended(contract) if self.is_mended else contract

    def shift(self, shift: Shift, random: Random, late: Sequence[Change] = ()) -> None:
        """Start these workers at once, do to each what is to go wrong, and wait until all have ended."""
        self.stage.disturb(random)
        pids = [self.start(steps, fault) for steps, fault in shift.workers]
        if late:
            time.sleep(random.uniform(0, 0.05))
            self.change(late)
        for pid, (_, fault) in zip(pids, shift.workers, strict=True):
            self.harm(pid, fault)
        others: list[int] = []
        stopped: set[int] = set()
        while pid := self.stage.workers.next_stopped([*pids, *others]):
            stopped.add(pid)
            others.append(self.overtake(pid))
        for pid, (_, fault) in zip(pids, shift.workers, strict=True):
            self.note(pid in stopped, self.stage.workers.wait(pid), fault)
        self.stage.calm()
        self.wait_for_sessions()
        seen_too_early = violations(self.stage.connection, VISITS.name)
        assert not seen_too_early, f"after {shift}: {seen_too_early}"

    def start(self, steps: Sequence[str], fault: Sequence[Any] = ()) -> int:
        job = self.job(steps) | {"fault": list(fault)}
        if fault[:1] == ("full disk",) and self.stage.full_disk:
            job["temporary"] = str(self.stage.full_disk)
        if fault[:1] == ("few files",):
            job["open_files"] = 14
        return self.stage.workers.start(job)

    def harm(self, pid: int, fault: Sequence[Any]) -> None:
        """What is done to a worker from outside; the rest it does to itself."""
        match fault:
            case ["die after ms", milliseconds]:
                time.sleep(milliseconds / 1000)
                self.stage.workers.kill(pid)
            case ["session cut after ms", milliseconds]:
                time.sleep(milliseconds / 1000)
                self.stage.connection.execute(END_SESSIONS)

    def overtake(self, pid: int) -> int:
        """The worker stood still for longer than its claim is good for, and goes on while another takes its drop."""
        self.stage.connection.execute(
            "UPDATE ledger.drops SET claim_expires_at = now() - interval '1 minute' WHERE id IN"
            " (SELECT id FROM ledger.drops WHERE claim IS NOT NULL FOR UPDATE SKIP LOCKED)"
        )
        other = self.start(("look", "take"))
        with suppress(TimeoutError):  # it may have to wait for what the first has locked
            self.stage.workers.wait(other, 0.7)
        self.stage.workers.let_on(pid)
        return other

    def note(self, was_stopped: bool, code: int | None, fault: Sequence[Any]) -> None:
        if code not in (0, -9, ENVIRONMENT) and fault[:1] != ("few files",):
            raise AssertionError(f"a worker ended with {code}: {self.stage.workers.words()[-3000:]}")
        if fault and (was_stopped or code != 0):
            self.stage.hits[" ".join(map(str, fault[:2] if fault[0] in ("die at", "stop at") else fault[:1]))] += 1

    def drain(self, *steps: str) -> None:
        """Send workers with nothing wrong until nothing waits."""
        for _ in range(MOST_DRAINS):
            code = self.stage.workers.run(self.job(steps))
            assert code == 0, f"a worker with nothing wrong ended with {code}: {self.stage.workers.words()[-3000:]}"
            waiting = self.stage.connection.execute(
                "SELECT count(*) FROM ledger.drops WHERE state IN ('discovered', 'claimed') OR retake IS NOT NULL"
            ).fetchone()
            if waiting == (0,):
                return
            time.sleep(0.05)
        raise AssertionError(f"{waiting} drops still wait after {MOST_DRAINS} workers with nothing wrong")

    def job(self, steps: Sequence[str]) -> dict[str, Any]:
        self.started += 1
        return {
            "database": self.stage.database_url,
            "store": self.stage.store.url,
            "contract": self.history.contract,
            "large": self.history.large,
            "mended": self.is_mended,
            "steps": list(steps),
            "run": f"run {self.started}",
        }

    def wait_for_sessions(self) -> None:
        """A killed worker's session ends when the server notices; until then its claim is good."""
        query = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend'"
        )
        deadline = time.monotonic() + 30
        while self.stage.connection.execute(query).fetchone() != (0,):
            assert time.monotonic() < deadline, "the session of a dead worker lives on"
            time.sleep(0.005)

    def faults(self) -> list[str]:
        contract = mended(changed(VISITS, **self.history.contract))
        taken = pictured(self.stage)
        found = violations(self.stage.connection, VISITS.name)
        return found + list(model.faults(self.put, taken, self.history.contract, contract.version, self.released))


def pictured(stage: Stage) -> list[model.Taken]:
    """Everything there is at the end, by drop."""
    with stage.connection.cursor(row_factory=dict_row) as cursor:
        ledger = cursor.execute("SELECT * FROM ledger.drops ORDER BY id").fetchall()
    taken = {row["id"]: model.Taken(row) for row in ledger}
    for drop, line, *values in stage.connection.execute(f"SELECT _drop_id, _line, {COLUMNS} FROM raw.visits"):
        taken[drop].visible[line] = tuple(values)
    for drop, line, kind, why in stage.connection.execute(
        "SELECT drop_id, line, kind, reasons -> 0 ->> 'message' FROM quarantine.rows"
    ):
        if kind == "bad":
            taken[drop].bad.add(line)
        else:
            taken[drop].duplicate[line] = why
    for one in taken.values():
        if one.ledger["state"] == "loaded" and one.ledger["cleaned_key"]:
            file = pl.read_parquet(stage.store.read(one.ledger["cleaned_key"]))
            one.cleaned = dict(zip(file["_line"].to_list(), file["visit"].to_list(), strict=True))
    return list(taken.values())


def told(taken: Sequence[model.Taken]) -> list[str]:
    """The same end in words that do not depend on how often anybody tried: what two plays of a history can share."""
    names, seen = {}, Counter[str]()
    for one in taken:
        seen[one.ledger["key"]] += 1
        names[one.ledger["id"]] = f"{one.ledger['key']}#{seen[one.ledger['key']]}"

    def named(message: str) -> str:
        return re.sub(r"drop (\d+)", lambda found: names[int(found[1])], message)

    lines = []
    for one in taken:
        counts = [one.ledger[f"rows_{name}"] for name in ("read", "loaded", "quarantined", "duplicate")]
        lines.append(f"{names[one.ledger['id']]} {one.ledger['state']} {counts}")
        lines += [f"  {line} {values}" for line, values in sorted(one.visible.items())]
        lines += [f"  {line} bad" for line in sorted(one.bad)]
        lines += [f"  {line} duplicate: {named(why)}" for line, why in sorted(one.duplicate.items())]
    return lines


def assure(play: Play, action: Callable[[], list[str]], place: str) -> None:
    """Carry out the action; where it finds anything wrong, tell the whole history and how to play it again."""
    try:
        found = action()
    except (AssertionError, TimeoutError, RuntimeError, psycopg.Error) as error:
        found = [f"{type(error).__name__}: {error}"]
    if found:
        story = "\n".join([*play.history.lines(), "ended wrong:", *(f"  {fault}" for fault in found)])
        raise AssertionError(f"{story}\nplay it again: pytest {place} --seed {play.history.seed}")


@contextmanager
def hasty() -> Any:
    """The engine of this process waits no seconds between two tries."""
    before = worker.FIRST_WAIT
    worker.FIRST_WAIT = before / 100
    try:
        yield
    finally:
        worker.FIRST_WAIT = before
