"""Which trace a new drop is part of: that of the request that sent it, else one that begins with its discovery."""

from collections.abc import Sequence
from dataclasses import replace

from psycopg import Connection

from lastmile.ingestion.submissions.traces import traces_of
from lastmile.ledger import ListedDrop
from lastmile.telemetry.spans import continuing, span, traceparent


def traced(connection: Connection, store: str, new: Sequence[ListedDrop]) -> list[ListedDrop]:
    """The same, each with its place in its trace; without one where nothing is traced."""
    here, sent = traceparent(), traces_of(connection, store, [drop.key for drop in new])
    return [_traced(drop, here, sent.get(drop.key, [])) for drop in new]


def _traced(drop: ListedDrop, here: str | None, sent: Sequence[str]) -> ListedDrop:
    own = sent[0] if sent else None
    links = [one for one in (here, *sent[1:]) if one]
    of_drop = {"dataset": drop.dataset, "partition": drop.partition, "key": drop.key, "bytes": drop.size}
    with continuing(own), span("drop.discovered", links=links, **of_drop):
        return replace(drop, traceparent=traceparent())
