"""Moving misrouted objects to where a contract expects them; discovery then finds them as it does any other."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from psycopg import Connection

from lastmile.contracts.contract import Contract
from lastmile.contracts.lookup import contract_of
from lastmile.errors import UserError
from lastmile.ingestion.upload import checked_name, prefix
from lastmile.ledger.presence import record_gone
from lastmile.ledger.unrouted import Unrouted, unrouted
from lastmile.store import Missing, Store
from lastmile.store.landing import LANDING


def nearest(one: Unrouted, contracts: Mapping[str, Contract]) -> str | None:
    """The dataset whose name is most like the one in its key; None where none is."""
    return next(iter(get_close_matches(one.dataset.lower(), contracts, n=1)), None)


def planned(
    connection: Connection, store: Store, contracts: Mapping[str, Contract], keys: Sequence[str], to: str
) -> dict[str, str]:
    """The new key of each of these objects in `<dataset>/<partition>`.

    Raises UserError, with nothing moved, where a key is not unrouted, there is no such place, or a new key is in use.
    """
    dataset, _, partition = to.strip("/").partition("/")
    if not partition:
        raise UserError(f"--to {to!r}: expected <dataset>/<partition>, such as hhinfo/2020")
    place = prefix(contract_of(dataset, contracts), partition)
    known = {one.key for one in unrouted(connection, store.url)}
    moves: dict[str, str] = {}
    for key in dict.fromkeys(keys):
        if key not in known:
            raise UserError(f"{key} is not unrouted; `lastmile unrouted list` shows what is")
        target = f"{place}{checked_name(_name(key))}"
        if target in moves.values() or store.exists(target):
            raise UserError(f"{key}: there is an object {target} already; move one of them by hand, or rename it")
        moves[key] = target
    return moves


def move(connection: Connection, store: Store, moves: Mapping[str, str]) -> int:
    """Move each object to its new key; returns how many, without those that are gone meanwhile."""
    moved = 0
    for key, target in moves.items():
        try:
            store.move(key, target)
        except Missing:
            continue
        record_gone(connection, store.url, [key], f"moved to {target}")
        moved += 1
    return moved


def _name(key: str) -> str:
    """What follows dataset and partition in a key, or whatever follows them of it."""
    parts = key.removeprefix(LANDING).split("/")
    return "/".join(parts[2:] or parts[-1:])
