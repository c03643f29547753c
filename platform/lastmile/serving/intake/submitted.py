"""How what was sent in is answered: by the job that it is followed by, and what the contract says of its rows."""

from typing import Annotated, Any, Literal
from uuid import UUID

import orjson
from fastapi import Response
from pydantic import BaseModel, Field

from lastmile.catalogue import Dataset
from lastmile.ingestion.submissions import Accepted


class Submitted(BaseModel):
    """It is durable. GET its `url` to follow it."""

    job: UUID
    url: str
    state: Literal["accepted"]
    dataset: str
    partition: str
    records: int
    repeated: Annotated[int, Field(description="records that were submitted before with the same content")]


class Violation(BaseModel):
    column: str | None = Field(description="null for a rule on the row")
    rule: str
    message: str = Field(description="what was expected, what was found")


class JudgedRow(BaseModel):
    line: int = Field(description="which record of the request, from 1 on")
    valid: bool
    violations: list[Violation]


class Feedback(BaseModel):
    """What the contract says of each row; nothing is stored."""

    valid: bool
    rows: list[JudgedRow]


def submitted(accepted: Accepted, dataset: Dataset, partition: str) -> Response:
    url = f"/api/v1/jobs/{accepted.job}"
    body = {
        "job": str(accepted.job),
        "url": url,
        "state": "accepted",
        "dataset": dataset.name,
        "partition": partition,
        "records": accepted.records,
        "repeated": accepted.repeated,
    }
    headers = {"Location": url} | ({"Idempotency-Replayed": "true"} if accepted.replayed else {})
    return Response(orjson.dumps(body), 202, headers, "application/json")


_HEADERS: dict[str, Any] = {
    "Location": {"description": "the job", "schema": {"type": "string"}},
    "Idempotency-Replayed": {
        "description": "`true` where the same request was accepted before",
        "schema": {"type": "string", "const": "true"},
    },
}
#: Of an endpoint that answers with `submitted`.
ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {"model": Submitted, "description": "Durable; it becomes a drop", "headers": _HEADERS}
}
