"""Keeping the platform up while `lastmile up` runs: whatever dies is started again, in a line that says so.

Runs at work go on meanwhile: their workers need none of Dagster's processes to stay alive.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lastmile.embedded import postgres
from lastmile.embedded.database import given_url
from lastmile.embedded.processes import remember, start, stop, wait_until_listening
from lastmile.embedded.services import Service
from lastmile.errors import UserError
from lastmile.process import Process
from lastmile.settings import Settings
from lastmile.telemetry.log_files import cut

#: What lived shorter died quickly; so many quick deaths in a row are no accident.
QUICK_SECONDS = 60.0
MOST_QUICK_DEATHS = 5
#: Between two starts of what may die as often as it does.
LONGEST_WAIT_SECONDS = 60.0
#: Wait before starting again after the second quick death in a row, then twice as long each time.
FIRST_WAIT_SECONDS = 1.0

Say = Callable[[str], None]


@dataclass
class Deaths:
    """The deaths of one process in a row."""

    name: str
    log: Path
    is_vital: bool = True
    quick: int = 0

    def note(self, lived: float) -> float:
        """Count a death after so many seconds of life; the seconds to wait before starting it again.

        Raises UserError where it died quickly too often, and nothing goes on without it.
        """
        self.quick = self.quick + 1 if lived < QUICK_SECONDS else 1
        if not self.is_vital:
            return min(FIRST_WAIT_SECONDS * 2.0 ** min(self.quick - 1, 10), LONGEST_WAIT_SECONDS)
        if self.quick > MOST_QUICK_DEATHS:
            raise UserError(
                f"the {self.name} has ended {self.quick} times in a row, each time within {QUICK_SECONDS:.0f} s;"
                f" its last output is in {self.log}"
            )
        return FIRST_WAIT_SECONDS * 2 ** (self.quick - 2) if self.quick > 1 else 0.0


@dataclass
class Kept:
    """A service and the process that runs it; after a death, when to start it again (monotonic seconds)."""

    service: Service
    process: Process
    deaths: Deaths
    since: float = field(default_factory=time.monotonic)
    again_at: float | None = None


class Supervisor:
    """Starts the services, and revives those that have died; `say` gets a line for each.

    `file` always names what runs, for the process that has to end it where we cannot. `disturbed_at` is when something
    was last found dead, in seconds since the epoch.
    """

    def __init__(self, logs: Path, variables: Mapping[str, str], file: Path, say: Say) -> None:
        self._logs, self._variables, self._file, self._say = logs, variables, file, say
        self._kept: list[Kept] = []
        self._outlived: list[Process] = []
        self.disturbed_at = 0.0

    def start(self, services: Sequence[Service]) -> None:
        """Start them, all at once: one that needs another waits for it."""
        for service in services:
            log = self._logs / f"{service.name}.log"
            self._kept.append(Kept(service, self._launch(service), Deaths(service.name, log, service.is_vital)))
            self._remember()

    def wait_until_up(self) -> None:
        """Return once all that were started are. Raises UserError where one does not come up."""
        for kept in self._kept:
            if kept.service.port:
                wait_until_listening(kept.process, kept.service.port, self._logs)

    def revive(self) -> None:
        """Start again what has died. Raises UserError where something keeps dying."""
        for kept in self._kept:
            cut(kept.deaths.log)
            if not kept.process.is_alive():
                self.disturbed_at = time.time()
                self._start_again(kept)

    def stop(self) -> None:
        """End the services and whatever they had started."""
        stop([*self._outlived, *(kept.process for kept in self._kept)])
        self._file.unlink(missing_ok=True)

    def _start_again(self, kept: Kept) -> None:
        now = time.monotonic()
        if kept.again_at is None:
            kept.again_at = now + kept.deaths.note(now - kept.since)
        if now < kept.again_at:
            return
        if kept.service.outlived:
            self._outlived = [process for process in (*self._outlived, kept.process) if process.group()]
        else:
            stop([kept.process])
        self._say(f"the {kept.service.name} had ended and is started again; its log is {kept.deaths.log}")
        kept.process, kept.since, kept.again_at = self._launch(kept.service), now, None
        self._remember()

    def _launch(self, service: Service) -> Process:
        return start(service.name, service.module, service.arguments, self._variables, self._logs, service.is_forked)

    def _remember(self) -> None:
        remember([*self._outlived, *(kept.process for kept in self._kept)], self._file)


class Database:
    """The embedded Postgres at `url`, kept up too; a database that was given is not ours to start."""

    def __init__(self, settings: Settings, url: str, say: Say) -> None:
        self._folder = None if given_url(settings) else settings.postgres_folder
        self._url, self._say = url, say
        self._deaths = Deaths("embedded Postgres", settings.postgres_folder / "server.log")
        self._since = time.monotonic()
        self.disturbed_at = 0.0

    def revive(self) -> None:
        """Start the server again where it has died. Raises UserError where it keeps dying or has to move."""
        if self._folder is None or postgres.running(self._folder) is not None:
            return
        self.disturbed_at = time.time()
        self._deaths.note(time.monotonic() - self._since)
        self._say(f"the embedded Postgres had ended and is started again; its log is {self._deaths.log}")
        if postgres.start(self._folder) != self._url:
            raise UserError("the embedded Postgres had to move to another port; run `lastmile up` again to go on there")
        self._since = time.monotonic()
