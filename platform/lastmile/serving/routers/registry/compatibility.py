"""Compatibility: whether a schema breaks anything, and what may not be broken."""

from typing import Annotated, Any

from fastapi import APIRouter, Body

from lastmile.access.principal import Principal
from lastmile.serving.door.permission import may
from lastmile.serving.routers.registry.protocol import LEVEL, Answer, Refused, Route, Schemas, schema_of, version_of
from lastmile.streaming.schemas.files import LEVELS, FileRegistry
from lastmile.streaming.schemas.schema import Unknown

router = APIRouter(
    prefix="/registry", route_class=Route, default_response_class=Answer, include_in_schema=False, tags=["data"]
)

Reader = Annotated[Principal, may("read")]
Writer = Annotated[Principal, may("write")]
Sent = Annotated[dict[str, Any], Body()]
#: Confluent's number for a subject without a level of its own.
_NO_LEVEL = 40408
_MODE = {"mode": "READWRITE"}


@router.post("/compatibility/subjects/{subject:path}/versions/{version}")
def compare(_: Reader, schemas: Schemas, subject: str, version: str, body: Sent, verbose: bool = False) -> Any:
    return _compared(schemas, subject, body, version_of(version), verbose)


@router.post("/compatibility/subjects/{subject:path}/versions")
def compare_all(_: Reader, schemas: Schemas, subject: str, body: Sent, verbose: bool = False) -> Any:
    return _compared(schemas, subject, body, None, verbose)


@router.get("/config")
def level(_: Reader, schemas: Schemas) -> dict[str, str]:
    return {"compatibilityLevel": schemas.level()}


@router.put("/config")
def set_level(_: Writer, schemas: Schemas, body: Sent) -> dict[str, str]:
    return _set(schemas, None, body)


@router.delete("/config")
def remove_level(_: Writer, schemas: Schemas) -> dict[str, str]:
    return _removed(schemas, None)


@router.get("/config/{subject:path}")
def level_of(_: Reader, schemas: Schemas, subject: str, defaultToGlobal: bool = False) -> dict[str, str]:  # noqa: N803  # Confluent's
    own = schemas.own_level(subject)
    if own is None and not defaultToGlobal:
        raise Refused(404, _NO_LEVEL, f"subject {subject!r} has no level of its own; that of all is {schemas.level()}")
    return {"compatibilityLevel": own or schemas.level()}


@router.put("/config/{subject:path}")
def set_level_of(_: Writer, schemas: Schemas, subject: str, body: Sent) -> dict[str, str]:
    return _set(schemas, subject, body)


@router.delete("/config/{subject:path}")
def remove_level_of(_: Writer, schemas: Schemas, subject: str) -> dict[str, str]:
    return _removed(schemas, subject)


@router.get("/mode")
def mode(_: Reader) -> dict[str, str]:
    return _MODE


@router.get("/mode/{subject:path}")
def mode_of(_: Reader, subject: str) -> dict[str, str]:  # noqa: ARG001  # all have the same
    return _MODE


def _compared(
    schemas: FileRegistry, subject: str, body: dict[str, Any], version: int | str | None, verbose: bool
) -> dict[str, Any]:
    try:
        broken = schemas.broken_by(subject, schema_of(body), version)
    except Unknown:
        if version is not None:
            raise
        broken = []
    return {"is_compatible": not broken, **({"messages": broken} if verbose else {})}


def _set(schemas: FileRegistry, subject: str | None, body: dict[str, Any]) -> dict[str, str]:
    found = str(body.get("compatibility") or body.get("compatibilityLevel")).upper()
    known = next((one for one in LEVELS if one == found), None)
    if known is None:
        raise Refused(422, LEVEL, f"no compatibility level {found!r}; there are {', '.join(LEVELS)}")
    schemas.set_level(known, subject)
    return {"compatibility": known}


def _removed(schemas: FileRegistry, subject: str | None) -> dict[str, str]:
    before = schemas.own_level(subject) or schemas.level()
    schemas.set_level(None, subject)
    return {"compatibilityLevel": before}
