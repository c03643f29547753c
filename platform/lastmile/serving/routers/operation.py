"""Whether the process lives and is ready, how the datasets stand, and the documentation as a page.

The paths without a version are for monitoring on this machine, and open until the first user is added.
"""

from importlib.resources import files
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Path, Query, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from lastmile.access import users
from lastmile.ingestion.submissions import gathering
from lastmile.learning.monitoring.found import newest
from lastmile.ledger import State
from lastmile.ledger import query as ledger
from lastmile.operations.status import datasets, summary
from lastmile.serving.door.permission import demand, is_local, open_to_all
from lastmile.serving.health import ready
from lastmile.serving.metrics import exposition
from lastmile.serving.parameters import DATASET, After, Id, Text
from lastmile.serving.schemas import Drop, DropWithEvents, Event, Page, Ready, Standing, Status
from lastmile.serving.state import Here
from lastmile.store import Missing
from lastmile.warehouse.dbt.artifacts import DOCUMENTATION

MOST_PER_PAGE = 1_000
_SWAGGER = "/docs/assets"

router = APIRouter(tags=["operation"])


def monitoring(request: Request, here: Here) -> None:
    """Lets in who may read, Prometheus by its key, and this machine's own addresses while there is no user."""
    if request.scope.get("is_scraper"):
        return
    principal = request.scope.get("principal")
    if principal is None and is_local(request):
        with here.reading() as connection:
            if not users.exist(connection):
                return
    demand(principal, "read")


monitoring.permission = "read"  # type: ignore[attr-defined]  # see `demanded_by`
Monitoring = Depends(monitoring)


@router.get("/health", include_in_schema=False)
@router.get("/api/v1/health/live", summary="Whether this process answers.")
@open_to_all
async def live() -> dict[str, str]:
    return {"status": "alive"}


@router.get("/ready", include_in_schema=False)
@router.get("/api/v1/health/ready", summary="Whether what it stands on answers.")
@open_to_all
async def readiness(here: Here) -> Ready:
    """503 while the database, its migrations or the store are not as they must be. `daemon` is for information: data
    and predictions are served without it."""
    return Ready(**await ready(here))


@router.get("/metrics", summary="For Prometheus.", response_class=Response, dependencies=[Monitoring])
def metrics(request: Request, here: Here) -> Response:
    """Datasets (backlog, lag, rows), models, and requests of this process."""
    with here.reading() as connection:
        standing, monitored = datasets(connection, here.store.url), newest(connection)
        waiting = gathering.waiting(connection)
    body = exposition(standing, monitored, waiting) + request.app.state.observed.exposition()
    return Response(body, media_type=CONTENT_TYPE_PLAIN_0_0_4)


@router.get("/status", summary="How everything stands: what there is, waits, came late.", dependencies=[Monitoring])
def status(here: Here) -> Status:
    with here.reading() as connection:
        return Status.model_validate(summary(connection, here.store.url))


@router.get("/datasets/{name}", summary="How one dataset stands.", dependencies=[Monitoring])
def dataset(name: Annotated[Text, Path(examples=DATASET)], here: Here) -> Standing:
    with here.reading() as connection:
        standing = datasets(connection, here.store.url)
    if name not in standing:
        known = ", ".join(standing) or "none yet"
        raise HTTPException(404, f"no drop of a dataset {name!r} was ever found; datasets with drops: {known}")
    return Standing.model_validate(standing[name])


@router.get("/drops", summary="Drops, newest first, page by page.", dependencies=[Monitoring])
def page(
    here: Here,
    dataset: Text | None = None,
    partition: Text | None = None,
    state: State | None = None,
    limit: Annotated[int, Query(ge=1, le=MOST_PER_PAGE)] = 100,
    after: After = None,
) -> Page:
    wanted = ledger.DropFilter(dataset, partition, state)
    with here.reading() as connection:
        found, following = ledger.page(connection, here.store.url, wanted, limit, after)
    return Page(drops=[Drop.model_validate(one) for one in found], after=following)


@router.get("/drops/{drop}", summary="One drop and all that happened to it.", dependencies=[Monitoring])
def one(drop: Annotated[Id, Path(examples=[1])], here: Here) -> DropWithEvents:
    with here.reading() as connection:
        found = ledger.find(connection, here.store.url, drop)
        if found is None:
            raise HTTPException(404, f"there is no drop {drop}; /drops lists those there are")
        events = [Event.model_validate(event) for event in ledger.events(connection, drop)]
    return DropWithEvents(**Drop.model_validate(found).model_dump(), events=events)


@router.get(
    "/dbt",
    summary="Documentation of the warehouse, as a page.",
    response_class=HTMLResponse,
    dependencies=[Monitoring],
)
def documentation(here: Here) -> HTMLResponse:
    try:
        return HTMLResponse(here.store.read(DOCUMENTATION), headers={"content-security-policy": _OWN_SCRIPTS})
    except Missing:
        raise HTTPException(404, "there is none yet: materialize the asset reports/dbt") from None


@router.get("/", include_in_schema=False)
@router.get("/docs", include_in_schema=False)
@open_to_all
async def page_of_docs() -> HTMLResponse:
    """The documentation, to read and to try."""
    found = get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="Lastmile API",
        swagger_js_url=f"{_SWAGGER}/swagger-ui-bundle.js",
        swagger_css_url=f"{_SWAGGER}/swagger-ui.css",
        swagger_favicon_url=f"{_SWAGGER}/favicon-32x32.png",
    )
    return HTMLResponse(found.body, headers={"content-security-policy": _OWN_SCRIPTS})


#: Pages with scripts of their own within them: nothing from elsewhere.
_OWN_SCRIPTS = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
    " frame-ancestors 'none'"
)
router.mount(_SWAGGER, StaticFiles(directory=str(files("fastapi_swagger.resources"))), name="swagger")
