"""Whether what the platform stands on answers, tried with the smallest request there is, within seconds."""

from collections.abc import Callable

import anyio.to_thread
import obstore
from psycopg import Error
from psycopg_pool import PoolTimeout

from lastmile.errors import UserError
from lastmile.ledger import query as ledger
from lastmile.operations.daemon import AWAY_SECONDS, last_heartbeat_seconds
from lastmile.serving.problems import Unavailable
from lastmile.serving.state import SECONDS, Serving
from lastmile.store import Store
from lastmile.store.stored_object import translated_errors
from lastmile.warehouse.migrate import is_current, newest_revision, revision_of


async def ready(here: Serving) -> dict[str, str]:
    """Raises Unavailable with what does not answer, and why."""
    if here.is_draining:
        raise Unavailable("this process is about to end; another one answers")
    found: dict[str, str] = {}
    await _answers("the database", lambda: found.update(_database(here)))
    await _answers("the store", lambda: _store(here.store))
    return {**found, "store": "ready"}


async def _answers(what: str, probe: Callable[[], object]) -> None:
    with anyio.move_on_after(SECONDS) as limit:
        await anyio.to_thread.run_sync(probe, abandon_on_cancel=True)
    if limit.cancelled_caught:
        raise Unavailable(
            f"{what} did not answer within {SECONDS:.0f} s; `lastmile doctor` looks at what is configured"
        )


def _database(here: Serving) -> dict[str, str]:
    try:
        with here.reading(SECONDS) as connection:
            ledger.answers(connection)
            seconds = last_heartbeat_seconds(connection)
        migrations = _migrations(here.database_url)
    except (Error, PoolTimeout, UserError) as error:
        raise Unavailable(f"the database is not ready: {error}") from None
    away = seconds is None or seconds > AWAY_SECONDS
    return {"database": "ready", "migrations": migrations, "daemon": "away" if away else "ready"}


def _migrations(url: str) -> str:
    """`newer` in the middle of an upgrade: the processes that are there go on until they are replaced."""
    if is_current(url):
        return "ready"
    if revision_of(url) > newest_revision():
        return "newer"
    raise Unavailable(
        "the database is not ready: migrations are pending; `lastmile migrate` applies them, `up` as well"
    )


def _store(store: Store) -> None:
    try:
        with translated_errors(store.url, "list objects"):
            next(iter(obstore.list(store.backend, "ready", chunk_size=1)), None)
    except UserError as error:
        raise Unavailable(f"the store is not ready: {error}") from None
