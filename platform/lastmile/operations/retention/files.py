"""Files of this machine and of the store that only describe the past: what steps printed, logs, earlier editions of
reports, files of model versions that were never in use."""

import shutil
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from psycopg import Connection

from lastmile.learning.registry.retention import forgotten_files
from lastmile.operations.retention.objects import Tally
from lastmile.settings import Settings
from lastmile.settings.retention import RetentionSettings
from lastmile.store import Store

_DAY = 86_400
_KEPT_OF_A_LOG = 2 * 2**20


def step_logs(settings: Settings, keep: RetentionSettings) -> list[Path]:
    """Folders of runs whose steps have printed nothing since; Dagster keeps them for ever."""
    return _older(settings.dagster_home.glob("storage/*-*-*-*-*"), keep.step_logs)


def long_logs(settings: Settings, keep: RetentionSettings) -> list[Path]:
    """Logs of processes that have grown over their size."""
    logs = (*settings.home.glob("logs/*.log"), settings.postgres_folder / "server.log")
    return [log for log in logs if log.is_file() and log.stat().st_size > keep.log_megabytes * 2**20]


def shorten(log: Path) -> int:
    """Keep the last part as `<log>.1` and let the log begin anew; the bytes that are gone.

    Its process has it open to append, so it goes on at the beginning. Lines of the moment in between may be lost.
    """
    size, older = log.stat().st_size, log.with_name(f"{log.name}.1")
    with log.open("rb") as file:
        file.seek(max(0, size - _KEPT_OF_A_LOG))
        older.write_bytes(file.read())
    with log.open("r+b") as file:
        file.truncate(0)
    return size - older.stat().st_size


def old_objects(connection: Connection, store: Store, keep: RetentionSettings) -> Iterator[tuple[str, int]]:
    """Keys and sizes of objects that go: earlier editions of reports, and of model versions that are forgotten."""
    before = datetime.now(UTC) - timedelta(days=keep.reports)
    for listed in store.list("reports/"):
        if listed.modified_at < before and not listed.key.endswith("/latest.html"):
            yield listed.key, listed.size
    forgotten = set(forgotten_files(connection, keep.model_versions))
    for prefix in ("models/", "snapshots/"):
        for listed in store.list(prefix):
            if listed.key in forgotten:
                yield listed.key, listed.size


def survey(connection: Connection, settings: Settings, store: Store, keep: RetentionSettings) -> dict[str, Tally]:
    """What `clean` would remove."""
    found = {"what steps printed": Tally(), "logs": Tally(), "reports and model files": Tally()}
    for folder in step_logs(settings, keep):
        _count(found["what steps printed"], _size(folder))
    for log in long_logs(settings, keep):
        _count(found["logs"], log.stat().st_size)
    for _, size in old_objects(connection, store, keep):
        _count(found["reports and model files"], size)
    return found


def clean(connection: Connection, settings: Settings, store: Store, keep: RetentionSettings) -> dict[str, Tally]:
    """Remove them."""
    found = {"what steps printed": Tally(), "logs": Tally(), "reports and model files": Tally()}
    for folder in step_logs(settings, keep):
        _count(found["what steps printed"], _size(folder))
        shutil.rmtree(folder, ignore_errors=True)
    for log in long_logs(settings, keep):
        _count(found["logs"], shorten(log))
    for key, size in list(old_objects(connection, store, keep)):
        store.delete(key)
        _count(found["reports and model files"], size)
    return found


def _older(folders: Iterable[Path], days: int) -> list[Path]:
    """Those in which nothing was written for so long."""
    before = time.time() - days * _DAY
    return [one for one in folders if one.is_dir() and _newest(one) < before]


def _newest(folder: Path) -> float:
    return max(one.stat().st_mtime for one in (folder, *folder.rglob("*")))


def _size(folder: Path) -> int:
    return sum(one.stat().st_size for one in folder.rglob("*") if one.is_file())


def _count(tally: Tally, size: int) -> None:
    tally.objects += 1
    tally.bytes += size
