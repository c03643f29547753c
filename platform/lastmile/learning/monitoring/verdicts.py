"""Why what monitoring found calls for a training."""

from psycopg import Connection

#: Of the partitions with most new labelled rows.
_SHOWN = 3

_FOUND = """
    SELECT to_char(partition_start, 'YYYY-MM-DD'), drifted, predictions_drifted,
        CASE WHEN performance_fell THEN format('%%s %%s, %%s in evaluation', metric, round(score::numeric, 3),
            round(expected::numeric, 3)) END
    FROM registry.monitoring JOIN registry.deployments USING (name)
    WHERE name = %s AND model_version = version AND new_labelled > 0
        AND (drifted <> '{}' OR predictions_drifted IS NOT NULL OR performance_fell)
    ORDER BY new_labelled DESC, partition_start
"""


def drift_reason(connection: Connection, model_name: str) -> str | None:
    """In words, which partitions have drifted from what the champion was trained on and have labelled rows that it was
    not trained on; None where none has."""
    found = connection.execute(_FOUND, [model_name]).fetchall()
    said = [f"{day}: {_said(drifted, predictions, fell)}" for day, drifted, predictions, fell in found[:_SHOWN]]
    more = [f"and {len(found) - _SHOWN} other partitions"] if len(found) > _SHOWN else []
    return "; ".join([*said, *more]) or None


def _said(drifted: list[str], predictions: str | None, fell: str | None) -> str:
    parts = [f"{', '.join(drifted[:_SHOWN])} drifted"] if drifted else []
    parts += [f"and {len(drifted) - _SHOWN} more inputs"] if len(drifted) > _SHOWN else []
    parts += [f"predictions of {predictions} drifted"] if predictions else []
    return ", ".join([*parts, *([f"performance fell to {fell}"] if fell else [])])
