"""The API's paths. Each answer is read from the ledger on request; nothing is cached, nothing is written."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import FastAPI, HTTPException, Path, Query, Response
from fastapi.responses import HTMLResponse
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from psycopg.conninfo import make_conninfo
from psycopg_pool import ConnectionPool

from lastmile.ledger import State
from lastmile.ledger import query as ledger
from lastmile.operations.status import datasets, summary
from lastmile.serving.errors import report_problems
from lastmile.serving.health import SECONDS, ready
from lastmile.serving.metrics import exposition
from lastmile.serving.schemas import Drop, DropWithEvents, Event, Page, Problem, Ready, Standing, Status
from lastmile.store import Missing, Store
from lastmile.warehouse.connections import CLIENT
from lastmile.warehouse.dbt.artifacts import DOCUMENTATION

MOST_PER_PAGE = 1_000
_READ_ONLY = "-c default_transaction_read_only=on -c statement_timeout=15s"

#: No text of Postgres holds a NUL, so no drop can be requested by one.
Name = Annotated[str | None, Query(pattern=r"^[^\x00]*$", max_length=1_024)]
Id = Annotated[int, Path(ge=1, lt=2**63)]


def make_app(database_url: str, store: Store) -> FastAPI:
    """The API of one installation; it connects when it is started."""
    pool = ConnectionPool(
        make_conninfo(database_url, **CLIENT, options=_READ_ONLY),
        kwargs={"autocommit": True},
        min_size=1,
        max_size=4,
        timeout=SECONDS,
        open=False,
        check=ConnectionPool.check_connection,
    )
    app = FastAPI(
        title="Lastmile",
        summary="How the drops of this installation stand. Read only.",
        docs_url=None,  # its page is fetched from the internet
        redoc_url=None,
        lifespan=_opened(pool),
        responses={"default": {"model": Problem, "description": "Any error"}},
    )
    report_problems(app)
    _add_probes(app, pool, store)
    _add_answers(app, pool, store)
    return app


def _opened(pool: ConnectionPool) -> Any:
    @asynccontextmanager
    async def opened(_: FastAPI) -> AsyncIterator[None]:
        pool.open()
        yield
        pool.close()

    return opened


def _add_probes(app: FastAPI, pool: ConnectionPool, store: Store) -> None:
    @app.get("/", include_in_schema=False)
    def paths() -> dict[str, str]:
        return {path: entry["get"]["summary"] for path, entry in app.openapi()["paths"].items()}

    @app.get("/health", summary="Whether this process answers.")
    async def health() -> dict[str, str]:
        return {"status": "alive"}

    @app.get("/ready", summary="Whether the database and the store answer.")
    async def readiness() -> Ready:
        return Ready(**await ready(pool, store))

    @app.get("/metrics", summary="How the datasets stand, for Prometheus.", response_class=Response)
    def metrics() -> Response:
        with pool.connection() as connection:
            standing = datasets(connection, store.url)
        return Response(exposition(standing), media_type=CONTENT_TYPE_PLAIN_0_0_4)


def _add_answers(app: FastAPI, pool: ConnectionPool, store: Store) -> None:
    @app.get("/status", summary="How everything stands: what there is, what waits, what came late.")
    def status() -> Status:
        with pool.connection() as connection:
            return Status.model_validate(summary(connection, store.url))

    @app.get("/datasets/{name}", summary="How one dataset stands.")
    def dataset(name: str) -> Standing:
        with pool.connection() as connection:
            standing = datasets(connection, store.url)
        if name not in standing:
            known = ", ".join(standing) or "none yet"
            raise HTTPException(404, f"no drop of a dataset {name!r} was ever found; datasets with drops: {known}")
        return Standing.model_validate(standing[name])

    @app.get("/drops", summary="Drops, newest first, page by page.")
    def page(
        dataset: Name = None,
        partition: Name = None,
        state: State | None = None,
        limit: Annotated[int, Query(ge=1, le=MOST_PER_PAGE)] = 100,
        after: Annotated[int | None, Query(ge=1, lt=2**63, description="`after` of the page before")] = None,
    ) -> Page:
        wanted = ledger.DropFilter(dataset, partition, state)
        with pool.connection() as connection:
            found, following = ledger.page(connection, store.url, wanted, limit, after)
        return Page(drops=[Drop.model_validate(one) for one in found], after=following)

    @app.get("/drops/{drop}", summary="One drop and all that happened to it.")
    def one(drop: Id) -> DropWithEvents:
        with pool.connection() as connection:
            found = ledger.find(connection, store.url, drop)
            if found is None:
                raise HTTPException(404, f"there is no drop {drop}; /drops lists those there are")
            events = [Event.model_validate(event) for event in ledger.events(connection, drop)]
        return DropWithEvents(**Drop.model_validate(found).model_dump(), events=events)

    @app.get("/dbt", summary="Documentation of the warehouse, as a page.", response_class=HTMLResponse)
    def documentation() -> HTMLResponse:
        try:
            return HTMLResponse(store.read(DOCUMENTATION))
        except Missing:
            raise HTTPException(404, "there is none yet: materialize the asset reports/dbt") from None
