"""What became of exposed entities: their target, copied from the feature set's table when it is known."""

from psycopg import Connection, sql

from lastmile.learning.declarations.model import Model
from lastmile.learning.experiments.experiment import Experiment
from lastmile.learning.relations import identifier

_NEW = """
    INSERT INTO registry.outcomes (experiment, entity, value)
    SELECT logged.experiment, logged.entity, made.{target}::text
    FROM registry.exposures AS logged
    JOIN {table} AS made ON {same}
    LEFT JOIN LATERAL (
        SELECT value FROM registry.outcomes
        WHERE experiment = logged.experiment AND entity = logged.entity ORDER BY id DESC LIMIT 1
    ) AS newest ON true
    WHERE logged.experiment = %s AND made.{target} IS NOT NULL AND newest.value IS DISTINCT FROM made.{target}::text
    ORDER BY logged.id
"""


def sync(connection: Connection, model: Model, experiment: Experiment) -> int:
    """Add the outcomes that became known or were corrected since; returns how many. A repeat adds none, and a target
    that became unknown again stays as it was known."""
    features = model.features
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"registry.outcomes {experiment.name}"])
        found = connection.execute("SELECT to_regclass(%s) IS NOT NULL", [features.table]).fetchone()
        if not (found and found[0]):
            return 0
        columns = (*features.entity, features.partition_column)
        same = sql.SQL(" AND ").join(
            sql.SQL("made.{}::text = logged.entity[{}]").format(sql.Identifier(name), sql.Literal(place))
            for place, name in enumerate(columns, 1)
        )
        query = sql.SQL(_NEW).format(target=sql.Identifier(model.target), table=identifier(features.table), same=same)
        return connection.execute(query, [experiment.name]).rowcount
