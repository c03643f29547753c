"""The log of what was answered to requests: one row for each prediction, with the version it came from.

It never has inputs: of a person it knows the entity's key where one was given, by which outcomes are found later.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from psycopg import Connection

CHANNEL = "registry_deployments"

_INSERT = """
    INSERT INTO registry.answers
        (at, model, version, experiment, variant, entity, output, milliseconds, principal, request)
    SELECT at, model, version, experiment, variant, entity, output, milliseconds, principal, request
    FROM jsonb_to_recordset(%s::jsonb) AS arrived (at timestamptz, model text, version text, experiment text,
        variant text, entity text[], output jsonb, milliseconds real, principal text, request text)
"""


class Answer(NamedTuple):
    """`output` has `level` and `probabilities`, or `value`."""

    at: datetime
    model: str
    version: str
    experiment: str | None
    variant: str | None
    entity: list[str] | None
    output: dict[str, Any]
    milliseconds: float
    principal: str
    request: str


def keep(connection: Connection, answers: Sequence[Answer]) -> None:
    """All or none, in one statement."""
    connection.execute(_INSERT, [orjson.dumps([one._asdict() for one in answers]).decode()])
