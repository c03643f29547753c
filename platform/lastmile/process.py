"""A process of this installation, identified by its start time, since numbers are reused."""

import os
from dataclasses import dataclass

import psutil

#: The system tells its start in whole seconds, from a clock that is being corrected: it may be one more a moment later.
_UNSURE_SECONDS = 2.0


@dataclass(frozen=True)
class Process:
    """A process; `started` is in seconds after the system came up, since a clock that is set would move any other."""

    name: str
    pid: int
    started: float

    @classmethod
    def of(cls, name: str, pid: int) -> "Process":
        """The living process of that number. Raises psutil.NoSuchProcess."""
        return cls(name, pid, _started(psutil.Process(pid)))

    def is_alive(self) -> bool:
        """Whether it still runs. The number alone says nothing; a process that we may not look at is none of ours."""
        try:
            process = psutil.Process(self.pid)
            is_same = abs(_started(process) - self.started) < _UNSURE_SECONDS
            return is_same and process.status() != psutil.STATUS_ZOMBIE
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return False

    def group(self) -> list[int]:
        """The living members of the group that it leads or led; none where a stranger leads that number now."""
        if not self.is_alive() and _is_running(self.pid):
            return []
        return [other for other in psutil.pids() if _group_of(other) == self.pid and _is_running(other)]


def _started(process: psutil.Process) -> float:
    return round(process.create_time() - psutil.boot_time(), 2)  # the system counts in hundredths


def _is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


def _group_of(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except (ProcessLookupError, PermissionError):
        return None
