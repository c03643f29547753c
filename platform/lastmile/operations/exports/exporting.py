"""One export, carried out: windows that are not what the target has are replaced, those without rows are removed.

The source is read as of one moment, whatever is made meanwhile. Carried out again it does nothing; killed at any
moment and carried out again, the target has what it would have had.
"""

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from psycopg import Connection

from lastmile.errors import UserError
from lastmile.operations.exports.declaration import Export
from lastmile.operations.exports.files import Files
from lastmile.operations.exports.history import Exported, record
from lastmile.operations.exports.source import Source, Version, source_of
from lastmile.operations.exports.table import Table
from lastmile.settings import Settings
from lastmile.settings.exports import ExportSettings
from lastmile.store import Store, open_store
from lastmile.telemetry.spans import span

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Installation:
    """What an export works with: where targets are, the platform's own store, columns that are personal."""

    settings: Settings
    targets: ExportSettings
    store: Store
    personal: Collection[str]


def carry_out(
    connection: Connection,
    export: Export,
    here: Installation,
    run_id: str | None = None,
    progress: Progress = lambda done, of: None,
) -> Exported:
    """What was exported, which is recorded as well. `connection` must be in autocommit mode.

    Raises UserError where another is at the same export, the source is not there yet or the target not known.
    """
    began = time.monotonic()
    with (
        span("exports.export", export=export.name) as done,
        _alone(connection, export),
        _target(export, here) as target,
    ):
        with connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            source = source_of(connection, export, here.personal)
            found = _bring_up(connection, source, target, progress)
        done(rows=found.rows, bytes=found.bytes)
    result = replace(found, seconds=time.monotonic() - began)
    record(connection, result, run_id)
    return result


def _bring_up(connection: Connection, source: Source, target: Files | Table, progress: Progress) -> Exported:
    target.shaped(source)
    wanted, there = source.versions(connection), target.versions()
    changed = {window: version for window, version in wanted.items() if there.get(window) != version.digest}
    gone = sorted(there.keys() - wanted.keys())
    sent = 0
    for number, (window, version) in enumerate(changed.items()):
        progress(number, len(changed))
        sent += target.replace(connection, source, window, version)
    for window in gone:
        target.remove(window, source)
    progress(len(changed), len(changed))
    return Exported(
        export=source.export.name,
        target=source.export.to or "own store",
        replaced=tuple(changed),
        removed=tuple(gone),
        unchanged=len(wanted) - len(changed),
        rows=sum(version.rows for version in changed.values()),
        bytes=sent,
        rows_at_target=sum(version.rows for version in wanted.values()),
        watermark=_watermark(wanted),
    )


def _watermark(versions: dict[str, Version]) -> str:
    """One text for all windows: the data version of what the target has now."""
    import hashlib

    return hashlib.sha256(repr(sorted(versions.items())).encode()).hexdigest()[:32]


def _target(export: Export, here: Installation) -> Files | Table:
    url = here.targets.url(export.to) if export.to else None
    if export.format == "table":
        if not (url or "").startswith("postgres"):
            raise UserError(f"export {export.name}: a table is exported to a postgresql:// target; {export.to} is none")
        return Table(str(url), export)
    if url is None:
        return Files(here.store, "exports/", export)
    if url.startswith("postgres"):
        raise UserError(f"export {export.name}: target {export.to} is a database; give the export format='table'")
    return Files(open_store(replace(here.settings, store_url=url)), "", export)


@contextmanager
def _alone(connection: Connection, export: Export) -> Iterator[None]:
    """The lock goes with the session of who holds it, so one that was killed blocks none."""
    lock = "(hashtextextended(%s, 22))"
    (free,) = connection.execute(f"SELECT pg_try_advisory_lock{lock}", [export.name]).fetchone() or (False,)
    if not free:
        raise UserError(f"export {export.name} is under way; wait until it is done")
    try:
        yield
    finally:
        connection.execute(f"SELECT pg_advisory_unlock{lock}", [export.name])
