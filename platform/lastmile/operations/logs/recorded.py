"""What the ledger recorded of drops, as log lines."""

from dataclasses import replace

from psycopg import Connection

from lastmile.ledger.query import events, traceparent
from lastmile.operations.logs.line import Line, Wanted
from lastmile.telemetry.spans import Place

_FAILED = ("failed", "missing", "quarantined")


def with_traces(connection: Connection, wanted: Wanted) -> Wanted:
    """The same; with the trace of its drop."""
    found = Place.read(traceparent(connection, wanted.drop)) if wanted.drop is not None else None
    return replace(wanted, traces=frozenset({found.trace})) if found else wanted


def of_drop(connection: Connection, wanted: Wanted) -> list[Line]:
    """What happened to the drop that is wanted; nothing where none is."""
    if wanted.drop is None:
        return []
    about: dict[str, object] = {"drop": wanted.drop}
    for trace in wanted.traces:
        about["trace"] = trace
    return [
        Line(
            event.at,
            "warning" if event.state in _FAILED else "info",
            "ledger",
            f"{event.state}{f': {event.message}' if event.message else ''}",
            {**about, **({"run": event.run_id} if event.run_id else {})},
        )
        for event in events(connection, wanted.drop)
    ]
