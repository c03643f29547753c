"""Where the next fetch of a source begins: at the end of the last one whose drop the ledger says is loaded.

The cursor is stored nowhere by itself, so it cannot be ahead of the rows or behind them: it moves when the transaction
commits in which they are loaded. As long as the drop of the last fetch is not loaded (it waits, or was quarantined
whole), the next fetch begins where that one did and lands under the same key: a newer version, which replaces it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from psycopg import Connection

from lastmile import ledger
from lastmile.sources.fetches import Fetch, newest_first


@dataclass(frozen=True)
class Standing:
    """Where a source is. `begin` is where its next fetch begins, and `reached` up to where records are loaded; both
    are None where nothing is. `again` is the fetch that the next one replaces."""

    begin: str | None = None
    reached: str | None = None
    again: Fetch | None = None
    #: Whether that one is on its way into the tables, and not held back.
    is_coming: bool = False


def standing(connection: Connection, store: str, source: str) -> Standing:
    """As of now. A fetch whose drop was discarded counts as never made."""
    again: Fetch | None = None
    is_coming = False
    for one, fate in with_fates(connection, store, source):
        if fate == "loaded":
            return Standing(again.cursor_from if again else one.cursor_to, one.cursor_to, again, is_coming)
        if fate != "discarded" and again is None:
            again, is_coming = one, fate == "waiting"
    return Standing(again.cursor_from if again else None, None, again, is_coming)


def in_force(connection: Connection, store: str, source: str, but_for: str) -> Iterator[Fetch]:
    """The fetches whose rows are loaded, newest first, without those under one key."""
    found = with_fates(connection, store, source)
    return (one for one, fate in found if fate == "loaded" and one.key != but_for)


def with_fates(connection: Connection, store: str, source: str) -> Iterator[tuple[Fetch, ledger.Fate]]:
    """The fetches that landed, newest first, and what became of each."""
    for some in newest_first(connection, store, source):
        yield from zip(some, _fates(connection, store, some), strict=True)


def _fates(connection: Connection, store: str, some: list[Fetch]) -> list[ledger.Fate]:
    """Of one source; its dataset may have been another one."""
    by_dataset: dict[str, list[Fetch]] = {}
    for one in some:
        by_dataset.setdefault(one.dataset, []).append(one)
    known = {
        one.id: fate
        for dataset, ones in by_dataset.items()
        for one, fate in zip(
            ones, ledger.fates(connection, store, dataset, [(one.key, one.sha256) for one in ones]), strict=True
        )
    }
    return [known[one.id] for one in some]
