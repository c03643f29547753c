"""Submissions in the shapes of ODK Central and KoboToolbox, by their own webhooks."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, HTTPException, Path, Request, Response

from lastmile.access import audit
from lastmile.access.principal import Principal
from lastmile.catalogue import Catalogue, Dataset, FormEntry
from lastmile.contracts.form import Form
from lastmile.contracts.names import normal_name
from lastmile.contracts.partition import Partition
from lastmile.errors import Malformed
from lastmile.ingestion.submissions.forms import kobo, odk
from lastmile.ingestion.submissions.forms.decoding import decoded
from lastmile.ingestion.submissions.forms.keeping import submit
from lastmile.ingestion.submissions.forms.rows import Target
from lastmile.ingestion.submissions.forms.version import MOST_ID_CHARACTERS, Version
from lastmile.serving.door.permission import demand_dataset, may
from lastmile.serving.intake.submitted import ACCEPTED, Submitted, submitted
from lastmile.serving.problems import documented
from lastmile.serving.state import Here, Serving

router = APIRouter(prefix="/api/v1", tags=["ingest"])

MOST_SUBMISSIONS = 1_000
FormName = Annotated[str, Path(max_length=128, pattern=r"^[^\x00/]+$", description="the form")]
Uploader = Annotated[Principal, may("upload")]
_UNKNOWN = documented({404: "No such form", 409: "No submission that could be stored"})
_ID = {"type": ["string", "number"], "minLength": 1, "maxLength": MOST_ID_CHARACTERS, "pattern": r"^[\x20-\x7e]*$"}
_ID_OR_NONE = {"type": ["string", "number", "null"], "maxLength": MOST_ID_CHARACTERS, "pattern": r"^[\x20-\x7e]*$"}
_REVIEW = {"enum": [None, "received", "edited", "hasIssues", "approved", "rejected"]}
_KOBO: dict[str, Any] = {
    "type": "object",
    "properties": {
        "meta/deprecatedID": _ID_OR_NONE,
        "meta/rootUuid": _ID_OR_NONE,
        "_submission_time": {"description": "a time; of anything else, the day it came counts"},
        "_validation_status": {"description": "an object with `uid` and `timestamp`, where there is any"},
    },
    "anyOf": [
        {"required": ["_uuid"], "properties": {"_uuid": _ID}},
        {"required": ["meta/instanceID"], "properties": {"_uuid": {"type": "null"}, "meta/instanceID": _ID}},
    ],
}
_ODK: dict[str, Any] = {
    "type": "object",
    "required": ["__id"],
    "properties": {
        "__id": _ID,
        "__system": {
            "description": "`submissionDate`, `updatedAt`, `edits`, `reviewState`, `deletedAt`",
            "properties": {"reviewState": _REVIEW},
        },
        "meta": {"properties": {"instanceID": _ID_OR_NONE}},
    },
}
_PAGE = {
    "type": "object",
    "required": ["value"],
    "properties": {"value": {"type": "array", "items": _ODK, "minItems": 1, "maxItems": MOST_SUBMISSIONS}},
}
_EVENT = {
    "type": "object",
    "required": ["type", "id", "data"],
    "properties": {
        "type": {"type": "string", "pattern": r"^submission\."},
        "id": _ID,
        "data": {
            "type": "object",
            "description": "`xml`, a submission as XML, or `reviewState`",
            "properties": {"reviewState": _REVIEW},
        },
    },
}


def _body(*shapes: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": {"anyOf": list(shapes)}}}}}


@router.get("/forms", summary="The forms whose submissions are accepted.")
def list_forms(_: Annotated[Principal, may("read")], here: Here) -> list[FormEntry]:
    return list(here.catalogue().forms.values())


@router.post(
    "/forms/{form}/kobo",
    summary="A submission as KoboToolbox sends it.",
    status_code=202,
    response_model=Submitted,
    responses=ACCEPTED | _UNKNOWN,
    openapi_extra=_body(_KOBO, {"type": "array", "items": _KOBO, "minItems": 1, "maxItems": MOST_SUBMISSIONS}),
)
async def from_kobo(form: FormName, request: Request, principal: Uploader, here: Here) -> Response:
    """For a REST service of type JSON, with basic authentication (any user name, the API key as the password) or the
    header `X-API-Key`.

    A question is the column of its own name or of its path with `__`; repeats become records of the form's other
    datasets, replaced as a set with each edit. `Not approved` withdraws the submission, any other status brings it
    back. The same submission sent again is the same one; of its edits the newest counts, whatever order they come in.
    """
    return await _delivered(form, request, principal, here, lambda found, now, _: kobo.versions(found, now))


@router.post(
    "/forms/{form}/odk",
    summary="A submission as ODK Central gives it.",
    status_code=202,
    response_model=Submitted,
    responses=ACCEPTED | _UNKNOWN,
    openapi_extra=_body(_ODK, _PAGE, _EVENT),
)
async def from_odk(form: FormName, request: Request, principal: Uploader, here: Here) -> Response:
    """A submission of the OData feed (best with `$expand=*`), a page of them, or an event of `central-webhook`:
    `submission.create` and `submission.update` with the submission as `data.xml` or its `data.reviewState`.

    `rejected` withdraws the submission, `approved` or `edited` brings it back. Otherwise as for KoboToolbox.
    """
    return await _delivered(form, request, principal, here, odk.versions)


_Parse = Callable[[Any, datetime, Mapping[str, str]], list[Version]]


async def _delivered(name: str, request: Request, principal: Principal, here: Serving, parse: _Parse) -> Response:
    body = await request.body()
    return await run_sync(_submitted, name, body, request.scope["request_id"], principal, here, parse)


def _submitted(name: str, body: bytes, request_id: str, principal: Principal, here: Serving, parse: _Parse) -> Response:
    known = here.catalogue()
    form = _form(known, name)
    for dataset in form.datasets:
        demand_dataset(principal, dataset)
    versions = _versions(body, form, parse)
    targets = {dataset: _target(known.datasets[dataset]) for dataset in form.datasets}
    with here.writing() as connection, connection.transaction():
        accepted, partition = submit(connection, form, targets, versions, principal.name)
        subject = f"{form.name}/{form.dataset}/{partition}"
        audit.record(connection, audit.Entry(principal.name, "submit form", subject, accepted.records, request_id))
    return submitted(accepted, known.datasets[form.dataset], partition)


def _versions(body: bytes, form: Form, parse: _Parse) -> list[Version]:
    try:
        versions = parse(decoded(body), datetime.now(UTC), form.repeats)
    except Malformed as error:
        raise HTTPException(422, str(error)) from None
    if not 1 <= len(versions) <= MOST_SUBMISSIONS:
        raise HTTPException(422, f"expected 1 to {MOST_SUBMISSIONS:,} submissions, found {len(versions):,}")
    return versions


def _form(known: Catalogue, name: str) -> Form:
    entry = known.forms.get(name)
    if entry is None:
        raise HTTPException(404, f"there is no form {name!r}; there are: {', '.join(known.forms) or 'none yet'}")
    return Form(
        name=entry.name,
        dataset=entry.dataset,
        description=entry.description,
        owner=entry.owner,
        repeats=entry.repeats,
        inherit=tuple(entry.inherit),
        partition=entry.partition,
        points={question: tuple(columns) for question, columns in entry.points.items()},
        accept=tuple(entry.accept),
    )


def _target(dataset: Dataset) -> Target:
    partition = Partition(dataset.unit, date.fromisoformat(f"{dataset.start}-01-01"[:10]), dataset.partition_column)
    headers = {normal_name(header): one.name for one in dataset.columns for header in (*one.aliases, one.name)}
    return Target(partition, headers)
