"""Events of web pages, as browsers send them with `navigator.sendBeacon` or `fetch`."""

import logging
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, cast

import psycopg
from anyio.to_thread import run_sync
from fastapi import APIRouter, FastAPI, HTTPException, Path, Query, Request, Response
from limits import parse
from psycopg_pool import PoolTimeout

from lastmile.serving.door.cors import COLLECT
from lastmile.serving.door.permission import open_to_all
from lastmile.serving.intake.collector import Collector
from lastmile.serving.problems import documented, too_large
from lastmile.serving.state import Serving
from lastmile.streaming.collecting import write_keys
from lastmile.streaming.collecting.beacons import MOST_EVENTS, completed, events_of
from lastmile.streaming.collecting.write_keys import WriteKey

log = logging.getLogger(__name__)
router = APIRouter(tags=["ingest"])

#: A key that was revoked is void after so long; one that was known stays so while the database is away.
_REMEMBERED_SECONDS, _TRUSTED_SECONDS = 10.0, 600.0
_MOST_REMEMBERED = 10_000
_DAY = "86400"
_KEY = re.compile("wk_[A-Za-z0-9_-]+")

Name = Annotated[str, Path(max_length=128, pattern=r"^[^\x00/]+$", description="the stream")]
Key = Annotated[
    str,
    Query(max_length=128, description="the write key: `lastmile stream key create`"),
]
_EVENT = {"type": "object", "minProperties": 1}
_EVENTS = {"anyOf": [_EVENT, {"type": "array", "items": _EVENT, "minItems": 1, "maxItems": MOST_EVENTS}]}
_BODY = {"requestBody": {"required": True, "content": {kind: {"schema": _EVENTS} for kind in ("application/json",)}}}
_PROBLEMS = documented(
    {
        401: "No such write key of this stream",
        403: "The key is not for pages of this origin",
        413: "Too long; browsers send at most 64 KiB",
        422: "No event, or no list of events, as JSON",
        429: "Too many requests of this address",
        503: "Neither the broker nor the disk can keep them now",
    }
)


class _Known:
    """Write keys as they were last looked up."""

    def __init__(self, here: Serving) -> None:
        self._here = here
        self._found: dict[str, tuple[WriteKey | None, float]] = {}

    async def find(self, key: str) -> WriteKey | None:
        found, at = self._found.get(key, (None, float("-inf")))
        since = time.monotonic() - at
        if since < _REMEMBERED_SECONDS:
            return found
        try:
            found = await run_sync(self._look_up, key)
        except (psycopg.OperationalError, PoolTimeout):
            if found is not None and since < _TRUSTED_SECONDS:
                return found
            raise
        if len(self._found) >= _MOST_REMEMBERED:
            self._found.clear()
        self._found[key] = found, time.monotonic()
        return found

    def _look_up(self, key: str) -> WriteKey | None:
        with self._here.reading() as connection:
            return write_keys.find(connection, key)


@asynccontextmanager
async def lifespan(app: FastAPI, here: Serving) -> AsyncIterator[None]:
    """The collector of the app, at `app.state.collector`."""
    app.state.collector = collector = Collector(here.settings, app.state.observed.registry)
    app.state.write_keys = _Known(here)
    await run_sync(collector.open)
    try:
        yield
    finally:
        await run_sync(collector.close)


@router.post(
    COLLECT + "{stream}",
    summary="Send events of a web page.",
    status_code=204,
    response_class=Response,
    responses=_PROBLEMS,
    openapi_extra=_BODY,
)
@open_to_all
async def collect(stream: Name, request: Request, key: Key = "") -> Response:
    """An event as JSON, or a list of up to 1,000, with content type text/plain or application/json, as
    `navigator.sendBeacon(url, JSON.stringify(event))` sends it. They are the broker's, or on disk, when this is
    answered. Whether they fit the stream's contract is seen when the stream is read: those that do not go to its
    quarantine."""
    collector = cast("Collector", request.app.state.collector)
    most, address = collector.settings.bytes, request.client.host if request.client else "unknown"
    known = await _known(request, stream, key)
    await _expect_rarely(request, collector.settings.rate, key, address)
    if int(request.headers.get("content-length", "0")) > most:
        raise HTTPException(413, too_large(most))
    body = await request.body()
    if len(body) > most:
        raise HTTPException(413, too_large(most))
    events = completed(events_of(body), known.adds, address, request.headers.get("user-agent", ""))
    await collector.send(stream, known.topic, list(events))
    return Response(status_code=204, headers=_allowed(request))


@router.options(
    COLLECT + "{stream}", summary="Whether a page may send events.", status_code=204, include_in_schema=False
)
@open_to_all
async def preflight(stream: Name, request: Request, key: Key = "") -> Response:
    await _known(request, stream, key)
    more = {
        "Access-Control-Allow-Methods": "POST",
        "Access-Control-Allow-Headers": "Content-Type",
        "Access-Control-Max-Age": _DAY,
    }
    return Response(status_code=204, headers=_allowed(request) | more)


async def _known(request: Request, stream: str, key: str) -> WriteKey:
    found = await request.app.state.write_keys.find(key) if _KEY.fullmatch(key) else None
    if found is None or found.stream != stream:
        raise HTTPException(401, f"no write key of stream {stream}; `lastmile stream key create {stream}` makes one")
    if not found.lets_in(request.headers.get("origin")):
        raise HTTPException(403, f"this write key is for pages of {', '.join(found.origins)}")
    return cast("WriteKey", found)


async def _expect_rarely(request: Request, rate: str, key: str, address: str) -> None:
    try:
        allowed = await request.app.state.door_limiter.hit(parse(rate), "collect", key, address)
    except Exception as error:
        raise HTTPException(503, "requests cannot be counted at the moment; try again") from error
    if not allowed:
        raise HTTPException(
            429, f"more than {rate} requests; send several events at once", headers={"Retry-After": "1"}
        )


def _allowed(request: Request) -> dict[str, str]:
    """Beacons come with credentials, which nothing here reads; so the origin is named, not `*`."""
    origin = request.headers.get("origin")
    if origin is None:
        return {}
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Credentials": "true",
        "Vary": "Origin",
        "Cross-Origin-Resource-Policy": "cross-origin",
    }
