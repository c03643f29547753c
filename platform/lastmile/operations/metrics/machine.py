"""The machine that the exporter is on: room on its disks, and the processes of this home."""

import json
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psutil
from prometheus_client import Metric

from lastmile.operations.metrics.family import counter, gauge
from lastmile.process import Process
from lastmile.settings import Settings

_MEASURED = (
    ("processes", "Processes at work."),
    ("process_resident_bytes", "Memory; what forked processes share counts for each."),
    ("process_open_files", "Open file descriptors."),
    ("process_threads", "Threads."),
)
_RUN, _FORKS = "run", "fork-server"


def disks(settings: Settings) -> Iterator[Metric]:
    """Of the folders that there are; a bucket has no end."""
    places = {"home": settings.home}
    address = urlsplit(settings.store_url)
    if address.scheme == "file":
        places["store"] = Path(unquote(address.path))
    found = {}
    for name, place in places.items():
        with suppress(OSError):
            found[name] = shutil.disk_usage(place)
    yield gauge("disk_free_bytes", "Room left.", ["place"], [(name, usage.free) for name, usage in found.items()])
    yield gauge("disk_bytes", "Room in all.", ["place"], [(name, usage.total) for name, usage in found.items()])


def processes(settings: Settings) -> Iterator[Metric]:
    """By name; that of a service which died is 0 until it is started again. Nothing where `up` does not run."""
    services = _services(settings.home / "processes.json")
    alive = [service for service in services if service.is_alive()]
    up = [(service.name, service in alive) for service in services]
    yield gauge("process_up", "1: the process lives.", ["process"], up)
    used = _used(alive)
    for name, text in _MEASURED:
        rows = [(process, values[name]) for process, values in used.items()]
        yield gauge(name, text, ["process"], rows)
    seconds = [(process, values["seconds"]) for process, values in used.items() if process != _RUN]
    yield counter("process_cpu_seconds", "Processor time of each service.", ["process"], seconds)


def _used(services: list[Process]) -> dict[str, dict[str, float]]:
    """What the processes of each name use together."""
    used: dict[str, dict[str, float]] = {}
    for name, process in _members(services):
        with suppress(psutil.Error), process.oneshot():
            times, before = process.cpu_times(), used.get(name, {})
            found = {
                "processes": 1,
                "process_resident_bytes": process.memory_info().rss,
                "process_open_files": process.num_fds(),
                "process_threads": process.num_threads(),
                "seconds": times.user + times.system,
            }
            used[name] = {part: value + before.get(part, 0) for part, value in found.items()}
    return used


def _services(file: Path) -> list[Process]:
    try:
        return [Process(**one) for one in json.loads(file.read_text())]
    except (OSError, ValueError, TypeError):
        return []


def _members(services: list[Process]) -> Iterator[tuple[str, psutil.Process]]:
    """Each service with the other members of its group; those of the daemon's are runs, or what runs come from."""
    for service in services:
        for pid in service.group():
            with suppress(psutil.Error):
                process = psutil.Process(pid)
                yield _kind(service, process), process


def _kind(service: Process, process: psutil.Process) -> str:
    if process.pid == service.pid or service.name != "daemon":
        return service.name
    return _FORKS if process.name() == "fork server" else _RUN
