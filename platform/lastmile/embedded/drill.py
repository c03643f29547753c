"""A restore drill: the newest backup and the log after it, restored into a scratch home, compared and removed again.

It shows what no look at the backups can: that they are decrypted, recovered and agree, how much would be lost (RPO) and
how long it takes (RTO). How it went is recorded in the live database.
"""

import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lastmile.embedded.restore import Restored, restore, target_settings
from lastmile.errors import UserError
from lastmile.operations.backup.catalogue import backups, newest_before
from lastmile.operations.backup.history import record_drill
from lastmile.operations.backup.repository import Progress, Repository
from lastmile.settings import Settings
from lastmile.telemetry.spans import span
from lastmile.warehouse.connections import connect


def drill(settings: Settings, url: str, repository: Repository, to: datetime | None, progress: Progress) -> Restored:
    """Restore to a time, or as far as the log goes. Raises UserError where it fails, which is recorded as well."""
    folder = settings.home / "backup"
    folder.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix="drill-", dir=folder))
    began: dict[str, Any] = {"started_at": datetime.now(UTC), "target": to}
    empty = dict.fromkeys(("backup", "recovered_to", "bytes", "objects", "rpo_seconds", "rto_seconds", "error"))
    try:
        with span("backup.drill") as done:
            chosen = newest_before(backups(repository), to)
            made = restore(target_settings(settings, scratch, None), repository, chosen, to, "then", progress)
            done(bytes=made.bytes, objects=made.objects)
    except UserError as error:
        _record(url, {**empty, **began, "faults": [], "error": str(error)})
        raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    _record(url, {**empty, **began, **_figures(made, to or began["started_at"])})
    return made


def _figures(made: Restored, wanted: datetime) -> dict[str, Any]:
    lost = (wanted - made.recovered_to).total_seconds() if made.recovered_to else None
    return {
        "backup": made.backup,
        "recovered_to": made.recovered_to,
        "bytes": made.bytes + made.object_bytes,
        "objects": made.objects,
        "rpo_seconds": None if lost is None else max(0.0, lost),
        "rto_seconds": made.seconds,
        "faults": [*made.agreement.faults, *(f"missing: {key}" for key in made.agreement.missing)],
    }


def _record(url: str, row: dict[str, Any]) -> None:
    with connect(url) as connection:
        record_drill(connection, row)
