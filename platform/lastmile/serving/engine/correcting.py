"""Correcting quarantined rows, which needs the contracts and the readers of files."""

from collections.abc import Mapping, Sequence
from typing import Any

from lastmile.access import audit
from lastmile.contracts.loading import load_contracts
from lastmile.ingestion.correction import correct
from lastmile.quarantine.corrections import Correction
from lastmile.settings import Settings
from lastmile.store import open_store
from lastmile.warehouse.connections import connect, database_url


def corrected(rows: Sequence[Mapping[str, Any]], who: str, why: str, request: str) -> dict[str, Any]:
    """Rows with drop, line and cells: lines corrected by drop, rows refused with the reasons, drops requested."""
    settings = Settings.from_environment()
    wanted = [Correction(one["drop"], one["line"], one["cells"]) for one in rows]
    with connect(database_url(settings)) as connection, connection.transaction():
        done = correct(connection, open_store(settings), load_contracts(settings.assets), wanted, who, why)
        for drop, lines in done.lines.items():
            audit.record(connection, audit.Entry(who, "correct quarantined", f"drop {drop}", len(lines), request))
    return {
        "rows": sum(map(len, done.lines.values())),
        "refused": [{"drop": one.drop, "line": one.line, "reasons": list(one.reasons)} for one in done.refused],
        "requested": list(done.requested),
    }
