"""The log of exposures as Postgres has it: which version a unit was answered by first, and what is added."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from psycopg import Connection
from psycopg.types.json import Jsonb

#: Decimals of a probability or value that are kept.
DECIMALS = 6

_FIRST = """
    SELECT DISTINCT ON (unit) unit, version FROM registry.exposures
    WHERE experiment = %s AND unit = ANY(%s) ORDER BY unit, id
"""
_ARRIVED = """
    CREATE TEMP TABLE arrived (place bigint, entity text[], unit text, cluster text, version text, predictions jsonb)
    ON COMMIT DROP
"""
_COPY = "COPY arrived (place, entity, unit, cluster, version, predictions) FROM STDIN"
_INSERT = """
    INSERT INTO registry.exposures (experiment, entity, unit, cluster, version, share, predictions)
    SELECT %s, entity, unit, cluster, version, %s, predictions FROM arrived ORDER BY place
    ON CONFLICT (experiment, entity) DO NOTHING
"""


class Exposure(NamedTuple):
    """An entity (its columns and the first day of its partition, as text), and what each version predicted for it."""

    entity: list[str]
    unit: str
    cluster: str | None
    #: The one that answered.
    version: str
    predictions: dict[str, list[float]]


def first_versions(connection: Connection, experiment: str, units: Sequence[str]) -> dict[str, str]:
    """The version that each unit was answered by first, of those that were."""
    return dict(connection.execute(_FIRST, [experiment, list(units)]).fetchall())


def log(connection: Connection, experiment: str, share: float | None, exposures: Iterable[Exposure]) -> int:
    """All are logged or none, and how many are new is returned: an entity that was logged before stays as it is."""
    with connection.transaction():
        connection.execute(_ARRIVED)
        with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
            for place, one in enumerate(exposures):
                copy.write_row((place, *one[:-1], Jsonb(_rounded(one.predictions))))
        return connection.execute(_INSERT, [experiment, share]).rowcount


def _rounded(predictions: dict[str, list[float]]) -> dict[str, Any]:
    return {name: [round(number, DECIMALS) for number in numbers] for name, numbers in predictions.items()}
