"""Where the next fetch of a source begins: at the end of the last one whose drop the ledger says is loaded.

The cursor is stored nowhere by itself, so it cannot be ahead of the rows or behind them: it moves when the transaction
commits in which they are loaded. As long as the drop of the last fetch is not loaded (it waits, or was quarantined
whole), the next fetch begins where that one did and lands under the same key: a newer version, which replaces it.
"""

from dataclasses import dataclass

from psycopg import Connection

from lastmile import ledger
from lastmile.sources.fetches import Fetch, newest_first

#: So many fetches are looked at together: mostly the newest is loaded.
_AT_ONCE = 100


@dataclass(frozen=True)
class Standing:
    """Where a source is. `begin` is where its next fetch begins, and `reached` up to where records are loaded; both
    are None where nothing is. `again` is the fetch that the next one replaces."""

    begin: str | None = None
    reached: str | None = None
    again: Fetch | None = None
    #: Keys of all its fetches.
    keys: frozenset[str] = frozenset()


def standing(connection: Connection, store: str, source: str) -> Standing:
    """As of now. A fetch whose drop was discarded counts as never made."""
    found = newest_first(connection, store, source)
    keys, again = frozenset(one.key for one in found), None
    for first in range(0, len(found), _AT_ONCE):
        some = found[first : first + _AT_ONCE]
        for one, fate in zip(some, _fates(connection, store, some), strict=True):
            if fate == "loaded":
                return Standing(again.cursor_from if again else one.cursor_to, one.cursor_to, again, keys)
            if fate == "waiting" and again is None:
                again = one
    return Standing(again.cursor_from if again else None, None, again, keys)


def in_force(connection: Connection, store: str, source: str, but_for: str) -> list[Fetch]:
    """The fetches whose rows are loaded, newest first, without those under one key."""
    found = [one for one in newest_first(connection, store, source) if one.key != but_for]
    return [one for one, fate in zip(found, _fates(connection, store, found), strict=True) if fate == "loaded"]


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
