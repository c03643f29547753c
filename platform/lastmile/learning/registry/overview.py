"""How models stand, for people: what is in use, how good it is, what was judged, what started trainings."""

from collections.abc import Mapping
from typing import Any

from psycopg import Connection

from lastmile.learning.declarations.model import Model
from lastmile.learning.registry import judgements, trainings
from lastmile.learning.registry.deployments import Deployment, deployment
from lastmile.learning.registry.versions import ModelVersion, versions

Row = dict[str, Any]


def overview(connection: Connection, models: Mapping[str, Model]) -> list[Row]:
    """A row for each model: the version in use, since when, its score next to the dummy's and next to the floor, the
    newest version with what was decided about it, and the last training."""
    return [_row(connection, model) for _, model in sorted(models.items())]


def _row(connection: Connection, model: Model) -> Row:
    known, used = versions(connection, model.name), deployment(connection, model.name)
    last = trainings.last(connection, model.name)
    current = next((one for one in known if used and one.version == used.version), None)
    metric = model.compared_by
    scores: Mapping[str, Any] = current.scores if current else {}
    floor = scores.get("floor", {})
    return {
        "name": model.name,
        "in use": used.version if used else None,
        "since": used.since if used else None,
        "held": used.held_reason if used else None,
        "metric": metric,
        "score": scores.get(metric),
        "dummy": scores.get("dummy", {}).get(metric),
        "floor metric": floor.get("metric"),
        "floor score": floor.get("score"),
        "floor": model.floor.value,
        "newest": known[0].version if known else None,
        "decision": _decision(connection, known[0], used) if known else None,
        "last training": last.at if last else None,
        "reason": last.reason if last else None,
        "outcome": last.outcome if last else None,
    }


def _decision(connection: Connection, version: ModelVersion, used: Deployment | None) -> str:
    """What became of a version: in use, or as it was judged."""
    if used and used.version == version.version:
        return "in use"
    judged = judgements.last(connection, version.name, version.version)
    return {"promote": "was promoted", "archive": "archived", "suspect": "suspect"}[judged.decision] if judged else "-"


def version_rows(connection: Connection, model: Model) -> list[Row]:
    """A row for each version of a model, the newest first, with its scores, and why it was decided about as it was."""
    used, found = deployment(connection, model.name), []
    for version in versions(connection, model.name):
        judged = judgements.last(connection, model.name, version.version)
        found.append(
            {
                "version": version.version,
                "created": version.created_at,
                "type": version.model_type,
                "rows": version.data_versions.get("row_count"),
                "decision": _decision(connection, version, used),
                "reasons": judged.reasons if judged else [],
                "scores": {name: version.scores.get(name) for name in model.score_names()},
                "dummy": version.scores.get("dummy", {}),
                "onnx": "yes" if version.onnx.get("key") else "no",
            }
        )
    return found
