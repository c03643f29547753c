"""One form for every error, and what each kind of trouble is called."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from psycopg import OperationalError
from psycopg_pool import PoolTimeout, TooManyRequests
from starlette.exceptions import HTTPException

from lastmile.errors import UserError
from lastmile.serving.schemas import Problem

log = logging.getLogger(__name__)


class Unavailable(Exception):
    """The database or the store does not answer."""


def report_problems(app: FastAPI) -> None:
    """Answer every error of the app in the one form."""

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> JSONResponse:
        ours = error.detail != HTTPStatus(error.status_code).phrase
        return problem(error.status_code, error.detail if ours else _no_such_path(request))

    @app.exception_handler(RequestValidationError)
    async def malformed(_: Request, error: RequestValidationError) -> JSONResponse:
        return problem(422, "; ".join(map(_fault, error.errors())))

    @app.exception_handler(Unavailable)
    @app.exception_handler(UserError)
    @app.exception_handler(OperationalError)
    @app.exception_handler(PoolTimeout)
    @app.exception_handler(TooManyRequests)
    async def unavailable(_: Request, error: Exception) -> JSONResponse:
        log.warning("%s: %s", type(error).__name__, error)
        is_ours = isinstance(error, UserError | Unavailable)
        return problem(
            503, str(error) if is_ours else "the database does not answer; try again, or see `lastmile doctor`"
        )

    @app.exception_handler(Exception)
    async def unforeseen(_: Request, error: Exception) -> JSONResponse:  # Starlette logs it with its traceback
        return problem(500, f"unforeseen {type(error).__name__}; the API's log has more")


def problem(status: int, detail: str) -> JSONResponse:
    """The error as an answer."""
    body = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail)
    return JSONResponse(body.model_dump(), status, media_type="application/problem+json")


def _no_such_path(request: Request) -> str:
    return f"nothing answers {request.method} {request.url.path}; GET / lists the paths there are"


def _fault(fault: Mapping[str, Any]) -> str:
    expected = fault["msg"].removeprefix("Input should be ")
    return f"{fault['loc'][-1]}: expected {expected}, found {fault['input']!r}"
