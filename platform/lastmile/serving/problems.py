"""One form for every error (RFC 9457), and what each kind of trouble is called."""

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from psycopg import InterfaceError, OperationalError
from psycopg_pool import PoolTimeout, TooManyRequests
from starlette.exceptions import HTTPException

from lastmile.errors import Unreachable, UserError
from lastmile.serving.schemas import Problem

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"


#: Said wherever the database is needed and away.
NO_DATABASE = "the database does not answer; try again, or see `lastmile doctor`"
_RETRY = {"Retry-After": "5"}
#: Of statuses that HTTP itself does not have.
_TITLES = {460: "Checksum Mismatch"}  # of tus


def too_large(most: int) -> str:
    return f"expected a body of at most {most:,} bytes; send less at a time, or a file to /datasets/{{name}}/files"


class Unavailable(Exception):
    """The database or the store does not answer."""


def report_problems(app: FastAPI) -> None:
    """Answer every error of the app in the one form."""

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> JSONResponse:
        ours = error.detail != _title(error.status_code)
        return problem(error.status_code, error.detail if ours else _no_such_path(request), headers=error.headers)

    @app.exception_handler(RequestValidationError)
    async def malformed(_: Request, error: RequestValidationError) -> JSONResponse:
        return problem(422, "; ".join(map(_fault, error.errors())))

    @app.exception_handler(UserError)
    async def refused_by_a_room(_: Request, error: UserError) -> JSONResponse:
        return problem(422, str(error))

    @app.exception_handler(Unavailable)
    @app.exception_handler(Unreachable)
    @app.exception_handler(OperationalError)
    @app.exception_handler(InterfaceError)
    @app.exception_handler(PoolTimeout)
    @app.exception_handler(TooManyRequests)
    async def unavailable(_: Request, error: Exception) -> JSONResponse:
        log.warning("%s: %s", type(error).__name__, error)
        return problem(503, str(error) if isinstance(error, Unavailable | Unreachable) else NO_DATABASE, headers=_RETRY)

    @app.exception_handler(Exception)
    async def unforeseen(_: Request, error: Exception) -> JSONResponse:  # Starlette logs it with its traceback
        return problem(500, f"unforeseen {type(error).__name__}; the API's log has more")


def problem(
    status: int, detail: str, headers: Mapping[str, str] | None = None, errors: Sequence[Mapping[str, Any]] = ()
) -> JSONResponse:
    """The error as an answer; `errors` are the single faults of a body, each with its place."""
    body = Problem(title=_title(status), status=status, detail=detail, errors=[dict(one) for one in errors])
    return JSONResponse(body.model_dump(exclude_defaults=True) | {"type": body.type}, status, headers, MEDIA_TYPE)


def _title(status: int) -> str:
    return _TITLES.get(status) or HTTPStatus(status).phrase


def _no_such_path(request: Request) -> str:
    return f"nothing answers {request.method} {request.url.path}; /docs shows what there is"


def _fault(fault: Mapping[str, Any]) -> str:
    expected = fault["msg"].removeprefix("Input should be ")
    return f"{fault['loc'][-1] if fault['loc'] else 'body'}: expected {expected}, found {fault['input']!r:.200}"
