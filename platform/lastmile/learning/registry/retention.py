"""What of the registry may be forgotten: files of versions that were never in use, and the log of old answers.

The row of a version stays for ever, with its scores and its data versions. Its files stay where it was ever in use, so
that a rollback finds them, where an experiment has it, and for the newest of each model.
"""

from collections.abc import Iterator
from datetime import datetime

from psycopg import Connection

_FORGOTTEN = """
    WITH numbered AS (
        SELECT *, row_number() OVER (PARTITION BY name ORDER BY version::int DESC) AS place FROM registry.model_versions
    ), kept AS (
        SELECT * FROM numbered v WHERE place <= %s
        OR EXISTS (SELECT FROM registry.events e WHERE (e.name, e.version) = (v.name, v.version)
            AND e.event IN ('promoted', 'rolled back'))
        OR EXISTS (SELECT FROM registry.deployments d WHERE (d.name, d.version) = (v.name, v.version))
        OR EXISTS (SELECT FROM registry.experiments x
            WHERE x.model = v.name AND (x.control = v.version OR v.version = ANY (x.treatments)))
        OR EXISTS (SELECT FROM registry.predictions p WHERE (p.model_name, p.model_version) = (v.name, v.version))
    )
    SELECT unnest(ARRAY[artifact_key, held_out_key, snapshot_key, onnx ->> 'key']) FROM numbered
    EXCEPT SELECT unnest(ARRAY[artifact_key, held_out_key, snapshot_key, onnx ->> 'key']) FROM kept
"""
_ANSWERS = """
    DELETE FROM registry.answers WHERE id = ANY (ARRAY(
        SELECT id FROM registry.answers WHERE at < %s ORDER BY id LIMIT 10000))
"""


def forgotten_files(connection: Connection, newest: int) -> list[str]:
    """Keys that only versions name which were never in use and are not among the `newest` of their model."""
    return [key for (key,) in connection.execute(_FORGOTTEN, [newest]).fetchall() if key]


def old_answers(connection: Connection, before: datetime) -> int:
    """How many answers are older."""
    ((rows,),) = connection.execute("SELECT count(*) FROM registry.answers WHERE at < %s", [before]).fetchall()
    return int(rows)


def forget_answers(connection: Connection, before: datetime) -> Iterator[int]:
    """Remove them, so many in each transaction."""
    while gone := connection.execute(_ANSWERS, [before]).rowcount:
        yield gone
