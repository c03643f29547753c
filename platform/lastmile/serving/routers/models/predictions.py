"""Predictions of rows, or of entities that the online table knows."""

import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Annotated, Any

import anyio.to_thread
import orjson
from fastapi import APIRouter, FastAPI, Path, Request, Response
from fastapi.routing import APIRoute
from pydantic import ValidationError
from starlette.requests import ClientDisconnect

from lastmile.access.principal import Principal
from lastmile.serving.door.permission import demand, may
from lastmile.serving.parameters import MODEL, Text
from lastmile.serving.predictions.inputs import Unfit, shortened
from lastmile.serving.predictions.loaded import Loaded
from lastmile.serving.predictions.log import Log
from lastmile.serving.predictions.observed import Predicted
from lastmile.serving.predictions.predicting import Predicting
from lastmile.serving.predictions.schemas import Body, Predictions
from lastmile.serving.problems import problem
from lastmile.serving.state import Serving
from lastmile.telemetry.spans import span

#: Reading so much takes as long as many predictions.
_LARGE_BYTES = 100_000
_EXAMPLE = {"ids": ["KE_12"], "reasons": True}


@asynccontextmanager
async def lifespan(app: FastAPI, here: Serving) -> AsyncIterator[None]:
    """Champions are loaded before the first request, and what was answered is logged after the last."""
    observed = app.state.predicted = Predicted(app.state.observed.registry)
    loaded = Loaded(here, observed.run, observed.loaded)
    log = Log(here, observed.lost)
    app.state.predicting = Predicting(here, loaded, log)
    log.open()
    await anyio.to_thread.run_sync(loaded.open)
    try:
        yield
    finally:
        await anyio.to_thread.run_sync(loaded.close)
        await anyio.to_thread.run_sync(log.close)


async def _answer(request: Request) -> Response:
    began = time.perf_counter()
    principal = demand(request.scope.get("principal"), "predict")
    predicting: Predicting = request.app.state.predicting
    name: str = request.path_params["name"]
    try:
        sent = await request.body()
        body = _read(sent) if len(sent) < _LARGE_BYTES else await anyio.to_thread.run_sync(_read, sent)
        with span("serving.predict", model=name[:100]) as done:
            answered = await predicting.answer(name, body, principal, request.scope["request_id"], began)
            done(rows=sum(answered.counts.values()), version=", ".join(answered.counts))
    except ClientDisconnect:
        return Response(status_code=400)  # nothing reads it
    except orjson.JSONDecodeError as error:
        return problem(422, f"expected JSON: an object with row, rows or ids; {error}")
    except ValidationError as error:
        return problem(422, "expected an object with row, rows or ids", errors=_faults(error))
    except Unfit as unfit:
        return problem(409, f"the rows are not as the features of {name} declare them", errors=unfit.faults)
    request.app.state.predicted.answered(name, answered.counts, time.perf_counter() - began)
    return Response(orjson.dumps(answered.body), media_type="application/json")


class Straight(APIRoute):
    """Documented as any route, answered without what FastAPI does for each request: that takes as long as a prediction
    does."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        return _answer


router = APIRouter(prefix="/api/v1", tags=["models"], route_class=Straight)


@router.post(
    "/models/{name}/predict",
    summary="Predict rows, or entities whose features are known.",
    openapi_extra={"requestBody": {"content": {"application/json": {"example": _EXAMPLE}}}},
)
async def predict(
    name: Annotated[Text, Path(examples=MODEL)], body: Body, _: Annotated[Principal, may("predict")]
) -> Predictions:
    """By the champion, a version, or as a running experiment assigns. Inputs are those of the model's feature set, with
    its types, bounds and levels; GET /models/{name} lists them. An entity that is not known has a `problem` instead of
    a prediction."""
    raise NotImplementedError  # `_answer` does


def _read(sent: bytes) -> Body:
    return Body.model_validate(orjson.loads(sent))


def _faults(error: ValidationError) -> list[dict[str, Any]]:
    return [
        {
            "input": ".".join(map(str, one["loc"]))[:200] or "body",
            "expected": one["msg"].removeprefix("Input should be "),
            "found": shortened(one["input"]),
        }
        for one in error.errors(include_url=False, include_context=False)[:20]
    ]
