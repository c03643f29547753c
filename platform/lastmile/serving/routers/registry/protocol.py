"""Confluent's form of answers and errors, whatever the door's own is."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from lastmile.errors import UserError
from lastmile.serving.state import Here
from lastmile.streaming.schemas.files import FileRegistry, Incompatible
from lastmile.streaming.schemas.schema import Invalid, Schema, Unknown

MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"
SUBJECT, VERSION, SCHEMA, LEVEL = 40401, 40402, 40403, 42203
_INVALID_SCHEMA, _INCOMPATIBLE, _STORE = 42201, 409, 50001


class Refused(Exception):
    """An error with Confluent's number for it."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class Route(APIRoute):
    """A route whose errors have Confluent's form."""

    def get_route_handler(self) -> Callable[[Request], Any]:
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                return await handle(request)
            except Refused as error:
                return _error(error.status, error.code, str(error))
            except Incompatible as error:
                return _error(409, _INCOMPATIBLE, str(error))
            except Unknown as error:
                return _error(404, SUBJECT, str(error))
            except Invalid as error:
                return _error(422, _INVALID_SCHEMA, str(error))
            except UserError as error:
                return _error(500, _STORE, str(error))

        return handled


class Answer(JSONResponse):
    media_type = MEDIA_TYPE


async def registry(request: Request, here: Here) -> FileRegistry:
    """One for the process: what it has read of schemas stays."""
    state = request.app.state
    if not hasattr(state, "registry"):
        state.registry = FileRegistry(here.store)
    found: FileRegistry = state.registry
    return found


Schemas = Annotated[FileRegistry, Depends(registry)]


def schema_of(body: dict[str, Any]) -> Schema:
    """The schema that a body has."""
    return Schema.from_json(body)


def version_of(text: str) -> int | str:
    """A number, or the last. Raises Refused."""
    if text in ("latest", "-1"):
        return "latest"
    if not text.isdecimal() or not 0 < int(text) < 2**31:
        raise Refused(422, 42202, f"expected a version: a number from 1 on, or latest; found {text!r}")
    return int(text)


def _error(status: int, code: int, message: str) -> Answer:
    return Answer({"error_code": code, "message": message}, status)
