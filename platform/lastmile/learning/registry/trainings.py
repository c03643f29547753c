"""Trainings that began, why, and what became of each; and whether there is a reason for the next one.

What is new is counted where feature rows are kept: labelled rows that came or changed, ever. A training remembers the
count it began with, so a reason that it did away with does not come back, also where the training failed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from psycopg import Connection
from psycopg.rows import class_row, dict_row

if TYPE_CHECKING:
    from lastmile.learning.declarations.model import Model


#: Read every few seconds, of each model: no version is read whole, with all that its evaluation found.
_STANDING = """
    SELECT now() AS now,
        (SELECT coalesce(sum((changed ->> %(target)s)::bigint), 0) FROM registry.feature_partitions
            WHERE name = %(features)s) AS changes,
        (SELECT code_version FROM registry.model_versions
            WHERE name = %(name)s ORDER BY version::int DESC LIMIT 1) AS code_version,
        (SELECT scores -> 'floor' FROM registry.deployments JOIN registry.model_versions USING (name, version)
            WHERE name = %(name)s) AS floor
"""


@dataclass(frozen=True)
class Training:
    """A row of registry.trainings."""

    id: int
    at: datetime
    name: str
    reason: str
    changes: int
    run_id: str | None
    outcome: str | None
    version: str | None


@dataclass(frozen=True)
class Standing:
    """What decides whether a model is trained: of `below_floor`, and of `drift`, the reason in words."""

    now: datetime
    #: Labelled rows that came or changed, ever.
    changes: int
    last: Training | None
    #: Code version of the newest version of the model, None where there is none.
    code_version: str | None
    below_floor: str | None = None
    drift: str | None = None

    @property
    def new(self) -> int:
        """Labelled rows that came or changed since the last training began."""
        return self.changes - (self.last.changes if self.last else 0)


def begin(connection: Connection, model: "Model", reason: str, run_id: str | None) -> int:
    """Remember that a training begins, with what it will have learned from; its number."""
    begun = connection.execute(
        "INSERT INTO registry.trainings (name, reason, changes, run_id) VALUES (%s, %s, %s, %s) RETURNING id",
        [model.name, reason, changes(connection, model), run_id],
    ).fetchone()
    return int(begun[0]) if begun else 0


def end(connection: Connection, training: int, outcome: str, version: str | None) -> None:
    """What became of it, in words, and the version that it led to."""
    connection.execute(
        "UPDATE registry.trainings SET outcome = %s, version = %s WHERE id = %s", [outcome, version, training]
    )


def changes(connection: Connection, model: "Model") -> int:
    """Labelled rows of the model's features that came or changed, ever."""
    found = connection.execute(
        "SELECT coalesce(sum((changed ->> %s)::bigint), 0) FROM registry.feature_partitions WHERE name = %s",
        [model.target, model.features.name],
    ).fetchone()
    return int(found[0]) if found else 0


def last(connection: Connection, name: str) -> Training | None:
    """The last training that began."""
    found = trainings(connection, name, most=1)
    return found[0] if found else None


def trainings(connection: Connection, name: str, most: int | None = None) -> list[Training]:
    """The newest first."""
    with connection.cursor(row_factory=class_row(Training)) as cursor:
        return cursor.execute(
            "SELECT * FROM registry.trainings WHERE name = %s ORDER BY id DESC LIMIT %s", [name, most]
        ).fetchall()


def standing(connection: Connection, model: "Model") -> Standing:
    """How things are now, but for drift, which is looked for only where there is something new to learn from."""
    of_model = {"name": model.name, "target": model.target, "features": model.features.name}
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(_STANDING, of_model).fetchall()[0]
    return Standing(
        now=found["now"],
        changes=int(found["changes"]),
        last=last(connection, model.name),
        code_version=found["code_version"],
        below_floor=_below_floor(model, found["floor"]),
    )


def due(model: "Model", code_version: str, found: Standing) -> str | None:
    """Why the model is to be trained now, None where nothing calls for it.

    Nothing is trained again from rows and code that it was made from already: below the floor and drift call for it
    only where there is something new to learn from, and not before the cool-down is over.
    """
    rules, new = model.retraining, found.new
    if found.code_version is None:
        return f"the first {new} labelled rows" if new else None
    if found.code_version != code_version and (found.last is None or not _tried(found.last, code_version)):
        return f"its code changed: {code_version}"
    if new >= rules.new_rows:
        return f"{new} new labelled rows ({rules.new_rows} call for a training)"
    since = found.now - found.last.at if found.last else timedelta.max
    if rules.every and since >= rules.every:
        return f"{rules.every.days} days since the last training"
    cooled = since >= rules.cooldown
    if new and cooled and rules.below_floor and found.below_floor:
        return f"{found.below_floor}; {new} new labelled rows"
    if new and cooled and rules.drift and found.drift:
        return f"drift: {found.drift}; {new} new labelled rows"
    return None


def _tried(last: Training, code_version: str) -> bool:
    """Whether the last training was of this code, so that one that failed is not repeated for ever."""
    return code_version in last.reason


def _below_floor(model: "Model", floor: Mapping[str, Any] | None) -> str | None:
    """`floor` is what the evaluation of the champion says of it."""
    if not floor or floor["score"] >= model.floor.value:
        return None
    return f"{floor['metric']} {floor['score']:.3f} is below the floor {model.floor.value:g}"
