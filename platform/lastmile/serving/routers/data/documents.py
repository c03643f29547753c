"""Documents: JSON of apps, by collection."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Header, HTTPException, Path, Query, Request, Response
from psycopg import Connection
from pydantic import BaseModel, Field

from lastmile import documents
from lastmile.access import audit
from lastmile.access.principal import Principal
from lastmile.errors import UserError
from lastmile.serving.door.permission import may
from lastmile.serving.parameters import NO_NUL, Filters
from lastmile.serving.reading.masking import MASK, Veil, veil
from lastmile.serving.reading.negotiation import refusal
from lastmile.serving.state import Here

router = APIRouter(prefix="/api/v1", tags=["data"])

Reader = Annotated[Principal, may("read")]
Writer = Annotated[Principal, may("write")]
Collection = Annotated[str, Path(pattern=r"^[a-z][a-z0-9_-]{0,62}$", examples=["plots"])]
#: Whatever an app calls them, in one part of a path.
Id = Annotated[str, Path(pattern=r"^[A-Za-z0-9._:~-]{1,200}$", examples=["plot-17"])]
Where = Annotated[
    Filters,
    Query(
        description="`path.to.field.op.value`, repeated; op is one of eq, ne, lt, le, gt, ge, in, like (begins with),"
        " is (null or notnull)",
        examples=[["crop.name.eq.maize"]],
    ),
]
_ERRORS: dict[int | str, dict[str, Any]] = {
    404: refusal("No such document"),
    412: refusal("Not the state that If-Match names"),
}


class CollectionEntry(BaseModel):
    collection: str
    documents: int


class Stored(BaseModel):
    id: str
    revision: int = Field(description="counts its changes")
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str
    body: dict[str, Any]


class DocumentPage(BaseModel):
    """`after` requests the next page; null on the last one."""

    documents: list[Stored]
    after: str | None


class NewDocument(BaseModel):
    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:~-]{1,200}$")] | None = Field(
        default=None, description="one is made if left out"
    )
    body: dict[str, Any]


@router.get("/documents", summary="Collections of documents.")
def collections(_: Reader, here: Here) -> list[CollectionEntry]:
    with here.reading() as connection:
        return [CollectionEntry(collection=name, documents=n) for name, n in documents.collections(connection)]


@router.get("/documents/{collection}", summary="Documents of a collection, by id.")
def page(
    principal: Reader,
    here: Here,
    collection: Collection,
    where: Where = [],  # noqa: B006  # FastAPI copies it
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    after: Annotated[str | None, Query(max_length=200, pattern=NO_NUL, description="of the page before")] = None,
) -> DocumentPage:
    """A collection that has none is empty: it begins with its first document."""
    sees = veil(here, principal)
    conditions = [documents.parse(one) for one in where]
    sees.demand([name for one in conditions for name in one.path], "where")
    with here.reading() as connection:
        found, following = documents.page(connection, collection, conditions, limit, after)
    return DocumentPage(documents=[_shown(one, sees) for one in found], after=following)


@router.post(
    "/documents/{collection}",
    summary="Add a document.",
    status_code=201,
    responses={
        200: {"model": Stored, "description": "The same was sent before, with the same Idempotency-Key"},
        409: refusal("The id exists, or the key came with another document"),
    },
)
def add(
    request: Request,
    response: Response,
    given: NewDocument,
    principal: Writer,
    here: Here,
    collection: Collection,
    key: Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=200)] = None,
) -> Stored:
    """Sent again with the same `Idempotency-Key`, it is the same document: 200 in place of 201."""
    sees = veil(here, principal)
    _refuse_masks(given.body, sees)
    with here.writing() as connection, connection.transaction():
        try:
            made, is_new = documents.create(connection, collection, given.id, given.body, principal.name, key)
        except (documents.Exists, documents.Repeated) as error:
            raise HTTPException(409, str(error)) from None
        if is_new:
            _audit(connection, request, principal, "create document", collection, made.id)
    response.status_code = 201 if is_new else 200
    return _answered(response, made, sees)


@router.get("/documents/{collection}/{id}", summary="A document.", responses=_ERRORS)
def one(response: Response, principal: Reader, here: Here, collection: Collection, id: Id) -> Stored:  # noqa: A002
    with here.reading() as connection:
        found = documents.find(connection, collection, id)
    if found is None:
        raise _missing(collection, id)
    return _answered(response, found, veil(here, principal))


@router.put(
    "/documents/{collection}/{id}",
    summary="Make a document what is sent.",
    responses={**_ERRORS, 201: {"model": Stored, "description": "It was not there before"}},
)
def replace(
    request: Request,
    response: Response,
    given: dict[str, Any],
    principal: Writer,
    here: Here,
    collection: Collection,
    id: Id,  # noqa: A002
) -> Stored:
    """Sent twice it is as sent once. With a header `If-Match`, only the state with this ETag is replaced (else 412)."""
    sees = veil(here, principal)
    _refuse_masks(given, sees)
    with here.writing() as connection, connection.transaction():
        before = documents.find(connection, collection, id, lock=True)
        _match(before, request.headers.get("if-match"))
        made = _put(connection, collection, id, given, principal, before)
        if made != before:
            _audit(connection, request, principal, "replace document", collection, id)
    response.status_code = 200 if before else 201
    return _answered(response, made, sees)


@router.patch("/documents/{collection}/{id}", summary="Change parts of a document.", responses=_ERRORS)
def change(
    request: Request,
    response: Response,
    given: dict[str, Any],
    principal: Writer,
    here: Here,
    collection: Collection,
    id: Id,  # noqa: A002
) -> Stored:
    """A JSON merge patch (RFC 7396): members that are sent replace those there are, null removes one. With a header
    `If-Match`, only the state with this ETag is changed (else 412)."""
    sees = veil(here, principal)
    _refuse_masks(given, sees)
    with here.writing() as connection, connection.transaction():
        before = documents.find(connection, collection, id, lock=True)
        if before is None:
            raise _missing(collection, id)
        _match(before, request.headers.get("if-match"))
        made = _put(connection, collection, id, documents.merged(before.body, given), principal, before)
        if made != before:
            _audit(connection, request, principal, "change document", collection, id)
    return _answered(response, made, sees)


@router.delete("/documents/{collection}/{id}", summary="Delete a document.", status_code=204, responses=_ERRORS)
def remove(
    request: Request,
    principal: Writer,
    here: Here,
    collection: Collection,
    id: Id,  # noqa: A002
) -> None:
    with here.writing() as connection, connection.transaction():
        before = documents.find(connection, collection, id, lock=True)
        if before is None:
            raise _missing(collection, id)
        _match(before, request.headers.get("if-match"))
        documents.delete(connection, collection, id)
        _audit(connection, request, principal, "delete document", collection, id)


def _put(
    connection: Connection,
    collection: str,
    id: str,  # noqa: A002
    body: dict[str, Any],
    principal: Principal,
    before: documents.Document | None,
) -> documents.Document:
    try:
        return documents.put(connection, collection, id, body, principal.name, before)
    except (documents.Exists, documents.Changed):  # another was faster
        raise HTTPException(412, f"{collection}/{id} was changed meanwhile; read it again") from None


def _match(found: documents.Document | None, wanted: str | None) -> None:
    """Raises HTTPException, 412, where the document is in another state than the request expects."""
    if wanted is None or (wanted == "*" and found):
        return
    if found is None or found.etag not in [one.strip() for one in wanted.split(",")]:
        state = f"its ETag is {found.etag}" if found else "there is none"
        raise HTTPException(412, f"If-Match: expected {wanted:.200}, and {state}; read it again and repeat the change")


def _refuse_masks(body: Any, sees: Veil) -> None:
    """What was read masked would be written over the value that it stands for."""
    if any(sees.hides(name) and value == MASK for name, value in _members(body)):
        raise UserError(
            f"the document has {MASK!r} under a personal name: your role was not shown the value; use PATCH"
        )


def _members(value: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(value, dict):
        yield from value.items()
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _members(inner)


def _audit(
    connection: Connection,
    request: Request,
    principal: Principal,
    action: str,
    collection: str,
    id: str,  # noqa: A002
) -> None:
    subject = f"{collection}/{id}"
    audit.record(connection, audit.Entry(principal.name, action, subject, 1, request.scope["request_id"]))


def _missing(collection: str, id: str) -> HTTPException:  # noqa: A002
    return HTTPException(
        404, f"there is no document {id!r} in {collection}; GET /api/v1/documents/{collection} lists them"
    )


def _answered(response: Response, found: documents.Document, sees: Veil) -> Stored:
    response.headers["ETag"] = found.etag
    return _shown(found, sees)


def _shown(found: documents.Document, sees: Veil) -> Stored:
    fields = {name: getattr(found, name) for name in Stored.model_fields}
    return Stored(**{**fields, "body": sees.document(found.body)})
