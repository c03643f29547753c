"""The app of one process: the door, the routers of its parts, and one form for errors.

`PARTS` says what there is; a process that only predicts has the parts `predictions`, and imports nothing of the others.
"""

import gc
import importlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI
from limits.aio.strategies import MovingWindowRateLimiter

from lastmile.serving.door.cors import Cors
from lastmile.serving.door.door import Door, storage
from lastmile.serving.door.identity import Identities
from lastmile.serving.observed import Observed
from lastmile.serving.problems import report_problems
from lastmile.serving.schemas import Problem
from lastmile.serving.state import Serving

VERSION = "/api/v1"
#: Modules of `serving.routers` by part, in the order of the documentation. Each has a `router`, and may have a
#: `lifespan(app, here)`, an async context manager for what runs as long as the process does.
PARTS: dict[str, tuple[str, ...]] = {
    "access": ("access.sign_in", "access.organisation", "access.accounts"),
    "predictions": ("models.predictions",),
    "ingest": ("ingest.records", "ingest.files", "ingest.uploads", "ingest.forms", "ingest.jobs", "ingest.collect"),
    "process": ("process.runs", "process.run_events", "process.alerts", "process.streams"),
    "data": ("data.data", "data.sql", "data.series", "data.documents"),
    "registry": ("registry.compatibility", "registry.subjects"),
    "models": ("models.models", "models.experiments"),
    "catalogue": (
        "catalogue.catalogue",
        "catalogue.lineage",
        "catalogue.quality",
        "catalogue.quarantine",
        "catalogue.decisions",
    ),
}
#: What a process has unless said otherwise, and what the smallest has.
EVERYTHING = tuple(PARTS)
PREDICTIONS = ("predictions",)

_TAGS = [
    {"name": "ingest", "description": "Drops in: records, files, forms, and the jobs by which they are followed."},
    {"name": "process", "description": "Runs: materialize, backfill, train; alerts; streams."},
    {"name": "data", "description": "What there is: drops, tables, features, predictions, SQL, documents."},
    {"name": "models", "description": "Answers out: predictions, versions, experiments."},
    {"name": "catalogue", "description": "What is declared, where it comes from, how good it is."},
    {"name": "access", "description": "Sign-in, users, API keys, the audit log."},
    {"name": "operation", "description": "Whether it lives, is ready, and how it stands."},
]


def make_app(here: Serving, parts: Sequence[str] = EVERYTHING) -> FastAPI:
    """The API of one installation; it connects when it is started."""
    identities, observed = Identities(here), Observed()
    modules = [importlib.import_module(f"lastmile.serving.routers.{name}") for part in parts for name in PARTS[part]]
    modules.append(importlib.import_module("lastmile.serving.routers.operation"))
    app = FastAPI(
        title="Lastmile",
        summary="Drops in, answers out.",
        version="1",
        docs_url=None,  # ours is served from this machine; FastAPI's is fetched from the internet
        redoc_url=None,
        openapi_tags=_TAGS,
        lifespan=_lifespan(here, identities, modules),
        responses={"default": {"model": Problem, "description": "Any error", "content": _PROBLEM}},
    )
    app.state.serving, app.state.observed = here, observed
    report_problems(app)
    for module in modules:
        router: APIRouter = module.router
        app.include_router(router)
    if here.api.origins:
        app.add_middleware(
            Cors,
            allow_origins=here.api.origins,
            allow_methods=["*"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "X-API-Key"],
        )
    limiter = MovingWindowRateLimiter(storage(here.settings.redis_url))
    app.state.door_limiter = limiter
    app.add_middleware(Door, here=here, identities=identities, limiter=limiter, observe=observed.request)
    return app


_PROBLEM: dict[str, Any] = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}


def _lifespan(here: Serving, identities: Identities, modules: Sequence[Any]) -> Callable[[FastAPI], Any]:
    @asynccontextmanager
    async def opened(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            here.open()
            stack.callback(here.close)
            identities.open()
            stack.callback(identities.close)
            for module in modules:
                if lifespan := getattr(module, "lifespan", None):
                    await stack.enter_async_context(lifespan(app, here))
            gc.collect()
            gc.freeze()  # what is here stays: to look through it again and again would hold up answers
            yield

    return opened
