"""Random kills through the day: any process of the platform but `up` itself, as an out-of-memory killer would."""

import json
import os
import random
import re
import signal
import time
from collections import Counter
from contextlib import suppress

import psutil
from end_to_end.installation import Installation
from endurance.repeating import Repeating

#: For a victim that is not there at the moment.
_MOST_WAIT_SECONDS = 60.0
SERVICES = ("code-server", "daemon", "webserver", "api", "watcher")
_MODULES = {
    "lastmile.serving ": "api",
    "lastmile.operations.watching": "watcher",
    "lastmile.cli.progress": "progress",
    "lastmile.orchestration.forks": "first-fork-server",
    "multiprocessing.resource_tracker": "resource-tracker",
}


class Kills:
    """Kills one at a time, on average every `seconds`, until `stop`. What was killed is counted in `done`."""

    def __init__(self, platform: Installation, seconds: float, seed: int) -> None:
        self._platform, self._random = platform, random.Random(seed)
        self.done: Counter[str] = Counter()
        #: Seconds since the start, and what.
        self.at: list[tuple[float, str]] = []
        self._since = time.monotonic()
        # What dies again and again within a minute of its start is given up by `up`, rightly: not so often.
        self._repeating = Repeating(self._kill, lambda: seconds * self._random.uniform(0.5, 1.5))
        self.start, self.stop = self._repeating.start, self._repeating.stop

    def _kill(self) -> None:
        victim = self._random.choice((*SERVICES, "worker", "worker", "postgres", "connection"))
        with suppress(psutil.Error, OSError, ProcessLookupError):
            until = time.monotonic() + _MOST_WAIT_SECONDS
            while (
                not (found := self._processes(victim)) and time.monotonic() < until and not self._repeating.is_stopped
            ):
                time.sleep(0.2)  # a worker is there for seconds only
            if found:
                os.kill(self._random.choice(found).pid, signal.SIGKILL)
                self.done[victim] += 1
                self.at.append((time.monotonic() - self._since, victim))

    def _processes(self, victim: str) -> list[psutil.Process]:
        if victim in SERVICES:
            started = json.loads((self._platform.home / "processes.json").read_text())
            return [psutil.Process(one["pid"]) for one in started if one["name"] == victim][-1:]
        found = processes(self._platform)
        if victim == "postgres":  # the whole server
            return [one for one in found if "-D" in one.cmdline() and kind_of(one) == "postgres"]
        if victim == "connection":  # the server ends all other sessions, too, and recovers
            return [one for one in found if one.cmdline()[:1] and "postgres: lastmile" in one.cmdline()[0]]
        return [one for one in found if kind_of(one) == "worker"]


def processes(platform: Installation) -> list[psutil.Process]:
    """Those of the platform, with the sessions of its Postgres."""
    found = []
    for one in platform.processes():
        with suppress(psutil.NoSuchProcess):  # it ended since
            found += [one, *(one.children() if one.name().startswith("postgres") else ())]
    return found


def kind_of(process: psutil.Process) -> str:
    """What a process of the platform is: a worker bears the number of its run."""
    name, words = process.name(), " ".join(process.cmdline())
    if re.match("[0-9a-f]{8}-", name):
        return "worker"
    if name.startswith("postgres"):
        return "postgres"
    if name != "python":  # one that was forked bears its own name
        return name.replace(" ", "-")
    return next((kind for module, kind in _MODULES.items() if module in words), name)
