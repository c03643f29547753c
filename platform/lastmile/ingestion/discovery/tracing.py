"""Which trace a new drop is part of: that of the request that sent it, else one that begins with its discovery.

Of many that are found by one listing, those that no request sent are part of the listing's own trace: to begin one for
each would cost a tenth of the CPU that small drops are ingested with.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from psycopg import Connection

from lastmile.ingestion.submissions.traces import traces_of
from lastmile.ledger import ListedDrop
from lastmile.telemetry.spans import continuing, span, traceparent

#: Drops of one page of a listing that each begin a trace.
MOST_OF_THEIR_OWN = 20


def traced(connection: Connection, store: str, new: Sequence[ListedDrop]) -> list[ListedDrop]:
    """The same, each with its place in its trace; without one where nothing is traced."""
    here, sent = traceparent(), traces_of(connection, store, [drop.key for drop in new])
    is_shared = len(new) - len(sent) > MOST_OF_THEIR_OWN
    return [
        _shared(drop, here) if is_shared and drop.key not in sent else _traced(drop, here, sent.get(drop.key, []))
        for drop in new
    ]


def _shared(drop: ListedDrop, here: str | None) -> ListedDrop:
    with span("drop.discovered", only_counted=True, **_sent(drop)):
        return replace(drop, traceparent=here)


def _traced(drop: ListedDrop, here: str | None, sent: Sequence[str]) -> ListedDrop:
    own = sent[0] if sent else None
    links = [one for one in (here, *sent[1:]) if one]
    with continuing(own), span("drop.discovered", links=links, **_sent(drop)):
        return replace(drop, traceparent=traceparent())


def _sent(drop: ListedDrop) -> dict[str, Any]:
    return {"dataset": drop.dataset, "partition": drop.partition, "key": drop.key, "bytes": drop.size}
