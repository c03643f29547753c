"""What monitoring found, in Postgres: a row of registry.monitoring per partition, one of registry.drift per input."""

from psycopg import Connection
from psycopg.types.json import Jsonb

from lastmile.learning.monitoring.drift import Drift
from lastmile.learning.monitoring.monitored import Monitored
from lastmile.learning.relations import Window

_MONITORED = """
    INSERT INTO registry.monitoring (name, partition_start, model_version, rows, compared_with, new_labelled, drifted,
        predictions_drifted, metric, score, score_error, expected, expected_error, performance_fell, run_id)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
_DRIFT = """
    INSERT INTO registry.drift (name, partition_start, feature, test, effect, p_value, psi, critical_psi, missing_then,
        missing_now, p_missing, adjusted_p, drifted, bins)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
_SCORES = """
    SELECT to_char(partition_start, 'YYYY-MM-DD'), score FROM registry.monitoring
    WHERE name = %s AND metric = %s ORDER BY partition_start
"""


def record(connection: Connection, name: str, window: Window, found: Monitored, run_id: str) -> None:
    """In place of what was found before of this partition, all or nothing."""
    at, judged = (name, window[0]), found.performance
    scored = (
        (judged.metric, judged.score, judged.error, judged.expected, judged.expected_error, judged.fell)
        if judged
        else (None, None, None, None, None, False)
    )
    counted = (found.version, found.rows, found.compared_with, found.new)
    drifted = [one.words for one in found.drifted]
    predictions = found.predictions.words if found.predictions and found.predictions.drifted else None
    columns = [*found.inputs, *([found.predictions] if found.predictions else [])]
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM registry.monitoring WHERE (name, partition_start) = (%s, %s)", at)
        cursor.execute(_MONITORED, [*at, *counted, drifted, predictions, *scored, run_id])
        cursor.executemany(_DRIFT, [(*at, *_row(one)) for one in columns])


def scores(connection: Connection, name: str, metric: str) -> dict[str, float]:
    """The champion's score by first day of the partitions whose labels it had not seen."""
    return dict(connection.execute(_SCORES, [name, metric]).fetchall())


def _row(one: Drift) -> tuple[object, ...]:
    bins = Jsonb({"labels": one.labels, "then": one.then, "now": one.now})
    missing = (one.missing_then, one.missing_now, one.p_missing)
    return (
        *(one.name, one.test, one.effect, one.p_value, one.psi, one.critical_psi),
        *(*missing, one.adjusted_p, one.drifted, bins),
    )
