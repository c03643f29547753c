"""One form for every error (RFC 9457), and what each kind of trouble is called."""

import logging
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from psycopg import InterfaceError, OperationalError
from psycopg_pool import PoolTimeout, TooManyRequests
from starlette.exceptions import HTTPException

from lastmile.errors import Malformed, Unreachable, UserError
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


def documented(meanings: Mapping[int | str, str]) -> dict[int | str, dict[str, Any]]:
    """For `responses` of an endpoint: what each status means, in the one form."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": meaning, "content": content} for status, meaning in meanings.items()}


class Unavailable(Exception):
    """The database or the store does not answer."""


def report_problems(app: FastAPI) -> None:
    """Answer every error of the app in the one form."""

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> JSONResponse:
        ours = error.detail != _title(error.status_code)
        headers = _allowed(request) if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED else error.headers
        return problem(error.status_code, error.detail if ours else _no_such_path(request), headers=headers)

    @app.exception_handler(RequestValidationError)
    async def malformed(_: Request, error: RequestValidationError) -> JSONResponse:
        return problem(422, "; ".join(map(_fault, error.errors())))

    @app.exception_handler(Malformed)
    async def malformed_for_a_room(_: Request, error: Malformed) -> JSONResponse:
        return problem(422, str(error))

    @app.exception_handler(UserError)
    async def refused_by_a_room(_: Request, error: UserError) -> JSONResponse:
        """422 is for what the schema refuses; this is well-formed, and cannot be done as things stand."""
        return problem(409, str(error))

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


def _allowed(request: Request) -> dict[str, str]:
    """All methods of the path; Starlette names those of the first of its routes only."""
    paths = request.app.openapi()["paths"]
    found = [methods for path, methods in paths.items() if _fits(path, request.url.path)]
    return {"Allow": ", ".join(sorted({method.upper() for methods in found for method in methods}) or ["GET"])}


def _fits(path: str, found: str) -> bool:
    return re.fullmatch(re.sub(r"\\\{[^/]*?\\\}", "[^/]+", re.escape(path)), found) is not None


def _no_such_path(request: Request) -> str:
    return f"nothing answers {request.method} {request.url.path}; /docs shows what there is"


def _fault(fault: Mapping[str, Any]) -> str:
    expected = fault["msg"].removeprefix("Input should be ")
    return f"{fault['loc'][-1] if fault['loc'] else 'body'}: expected {expected}, found {fault['input']!r:.200}"
