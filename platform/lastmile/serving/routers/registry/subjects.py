"""Subjects, their versions, and schemas by number."""

from typing import Annotated, Any

from fastapi import APIRouter, Body

from lastmile.access.principal import Principal
from lastmile.serving.door.permission import may
from lastmile.serving.routers.registry.protocol import (
    SCHEMA,
    VERSION,
    Answer,
    Refused,
    Route,
    Schemas,
    schema_of,
    version_of,
)
from lastmile.streaming.schemas.files import FileRegistry, as_answer
from lastmile.streaming.schemas.schema import KINDS, Registered, Unknown

router = APIRouter(
    prefix="/registry", route_class=Route, default_response_class=Answer, include_in_schema=False, tags=["data"]
)

Reader = Annotated[Principal, may("read")]
Writer = Annotated[Principal, may("write")]
Sent = Annotated[dict[str, Any], Body()]


@router.get("/")
def root(_: Reader) -> dict[str, Any]:
    return {}


@router.get("/schemas/types")
def types(_: Reader) -> list[str]:
    return list(KINDS)


@router.get("/schemas/ids/{number}")
def schema(_: Reader, schemas: Schemas, number: int) -> dict[str, Any]:
    return {"schema": "", **_by_id(schemas, number).as_json()}


@router.get("/schemas/ids/{number}/schema")
def schema_alone(_: Reader, schemas: Schemas, number: int) -> Answer:
    return Answer(_by_id(schemas, number).text)


@router.get("/schemas/ids/{number}/subjects")
def subjects_of(_: Reader, schemas: Schemas, number: int) -> list[str]:
    _by_id(schemas, number)
    return list(dict.fromkeys(subject for subject, _ in schemas.subjects_of(number)))


@router.get("/schemas/ids/{number}/versions")
def versions_of(_: Reader, schemas: Schemas, number: int) -> list[dict[str, Any]]:
    _by_id(schemas, number)
    return [{"subject": subject, "version": version} for subject, version in schemas.subjects_of(number)]


@router.get("/subjects")
def subjects(_: Reader, schemas: Schemas, deleted: bool = False) -> list[str]:
    return schemas.subjects(deleted)


@router.get("/subjects/{subject:path}/versions")
def versions(_: Reader, schemas: Schemas, subject: str, deleted: bool = False) -> list[int]:
    return schemas.versions(subject, deleted)


@router.post("/subjects/{subject:path}/versions")
def register(_: Writer, schemas: Schemas, subject: str, body: Sent) -> dict[str, Any]:
    return as_answer(schemas.register(subject, schema_of(body)))


@router.get("/subjects/{subject:path}/versions/{version}/schema")
def version_alone(_: Reader, schemas: Schemas, subject: str, version: str) -> Answer:
    return Answer(_version(schemas, subject, version).schema.text)


@router.get("/subjects/{subject:path}/versions/{version}/referencedby")
def referred(_: Reader, schemas: Schemas, subject: str, version: str) -> list[int]:
    return schemas.referring_to(subject, _version(schemas, subject, version).version)


@router.get("/subjects/{subject:path}/versions/{version}")
def version(_: Reader, schemas: Schemas, subject: str, version: str, deleted: bool = False) -> dict[str, Any]:
    return as_answer(_version(schemas, subject, version, deleted))


@router.delete("/subjects/{subject:path}/versions/{version}")
def delete_version(_: Writer, schemas: Schemas, subject: str, version: str, permanent: bool = False) -> int:
    if permanent:
        return _version(schemas, subject, version, deleted=True).version  # it stays hidden: messages may name it
    return schemas.delete(subject, _version(schemas, subject, version).version)


@router.post("/subjects/{subject:path}")
def lookup(_: Reader, schemas: Schemas, subject: str, body: Sent, deleted: bool = False) -> dict[str, Any]:
    found = schemas.lookup(subject, schema_of(body), deleted)
    if found is None:
        raise Refused(404, SCHEMA, f"no version of subject {subject!r} is this schema")
    return as_answer(found)


@router.delete("/subjects/{subject:path}")
def delete_subject(_: Writer, schemas: Schemas, subject: str, permanent: bool = False) -> list[int]:
    if permanent:
        return schemas.versions(subject, deleted=True)
    return [schemas.delete(subject, one) for one in reversed(schemas.versions(subject))][::-1]


def _by_id(schemas: FileRegistry, number: int) -> Any:
    try:
        return schemas.by_id(number)
    except Unknown as error:
        raise Refused(404, SCHEMA, str(error)) from None


def _version(schemas: FileRegistry, subject: str, version: str, deleted: bool = False) -> Registered:
    there = schemas.versions(subject, deleted)  # raises Unknown, of the subject
    try:
        return schemas.version(subject, version_of(version), deleted)
    except Unknown:
        named = ", ".join(map(str, there))
        raise Refused(404, VERSION, f"subject {subject!r} has no version {version}; there are {named}") from None
