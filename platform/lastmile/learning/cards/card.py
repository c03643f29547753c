"""The card of a version: for whom it is, what it was made from, how good it is, where it is weak, what changed.

A page of its own in the store, next to the artifact; it needs nothing but a browser.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2
from psycopg import Connection

from lastmile.learning import plots
from lastmile.learning.declarations.model import Classification, Model
from lastmile.learning.registry import deployments, events, judgements
from lastmile.learning.registry.versions import ModelVersion, versions
from lastmile.store import Store

Row = dict[str, Any]
_TEMPLATE = Path(__file__).parent / "card.html.j2"
#: Attributes' values shown, those with most rows.
_MOST_VALUES = 12


def keep(connection: Connection, store: Store, model: Model, version: ModelVersion) -> str:
    """Write the card as things stand now; its address."""
    key = f"models/{version.name}/{version.version}/card.html"
    store.put(key, page(connection, model, version).encode())
    return f"{store.url}/{key}"


def page(connection: Connection, model: Model, version: ModelVersion) -> str:
    """The card as HTML."""
    loader = jinja2.FileSystemLoader(_TEMPLATE.parent)
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.get_template(_TEMPLATE.name).render(contents(connection, model, version))


def contents(connection: Connection, model: Model, version: ModelVersion) -> Row:
    """All that the page shows."""
    used, judged = (
        deployments.deployment(connection, model.name),
        judgements.last(connection, model.name, version.version),
    )
    scores, before = version.scores, _before(connection, version)
    return {
        "model": model,
        "version": version,
        "made_at": datetime.now(UTC),
        "state": _state(used, judged, version),
        "reasons": judged.reasons if judged else [],
        "against": judged.against if judged else "",
        "scores": [_score(name, scores) for name in model.score_names()],
        "floor": scores.get("floor", {}),
        "facts": version.data_versions.get("facts", {}),
        "notes": version.data_versions.get("notes", []),
        "judged_on": scores.get("judged_on", {}),
        "out_of_time": scores.get("out_of_time", {}),
        "within_groups": scores.get("within_groups", {}),
        "calibration": _slopes(scores.get("calibration", {})),
        "interval": scores.get("interval", {}),
        "fairness": _fairness(scores.get("fairness", {}), model.compared_by),
        "pictures": _pictures(model, scores),
        "changed": _changed(model, version, before) if before else [],
        "before": before,
        "history": [event for event in events.history(connection, model.name) if event["version"] == version.version],
    }


def _before(connection: Connection, version: ModelVersion) -> ModelVersion | None:
    known = [one for one in versions(connection, version.name) if int(one.version) < int(version.version)]
    return known[0] if known else None


def _state(used: deployments.Deployment | None, judged: judgements.Judged | None, version: ModelVersion) -> str:
    if used and used.version == version.version:
        return "in use, held" if used.held_since else "in use"
    return {"promote": "was in use", "archive": "archived", "suspect": "suspect, held for a person"}.get(
        judged.decision if judged else "", "not judged"
    )


def _score(name: str, scores: Mapping[str, Any]) -> Row:
    """One line of the table: the score, the dummy's, and what may be luck."""
    return {
        "name": name.replace("_", " "),
        "value": scores.get(name),
        "dummy": scores.get("dummy", {}).get(name),
        "interval": scores.get("interval_of", {}).get(name),
    }


def _slopes(calibration: Mapping[str, Any]) -> list[tuple[str, float | None, float | None]]:
    """Slope and intercept of the question's answer, or of each level."""
    parts = {"answer": calibration} if "curve" in calibration else calibration
    return [(name, part.get("slope"), part.get("intercept")) for name, part in parts.items()]


def _fairness(found: Mapping[str, Any], metric: str) -> list[tuple[str, list[Row]]]:
    """By attribute, its most common values with rows, and the score that versions are compared by."""
    shown = []
    for attribute, values in found.items():
        most = sorted(values, key=lambda value: -values[value]["rows"])[:_MOST_VALUES]
        rows = [{"value": value, **values[value], "score": values[value].get(metric)} for value in most]
        shown.append((attribute.replace("_", " "), rows))
    return shown


def _pictures(model: Model, scores: Mapping[str, Any]) -> list[tuple[str, str]]:
    pictures = {"importance": plots.importance(scores["importance"])}
    if isinstance(model.task, Classification):
        pictures["confusion"] = plots.confusion(model.task.levels, scores["confusion"])
    calibration = scores.get("calibration", {})
    curves = {"": calibration} if "curve" in calibration else calibration
    for name, part in curves.items():
        pictures[f"calibration {name}"] = plots.calibration(
            name or str(getattr(model.task, "question", "")), part["curve"]
        )
    return [(title, plots.as_source(picture)) for title, picture in pictures.items()]


def _changed(model: Model, version: ModelVersion, before: ModelVersion) -> list[str]:
    """What is not as it was in the version before."""
    rows, then = version.data_versions.get("row_count", 0), before.data_versions.get("row_count", 0)
    found = [f"labelled rows: {then:,} then, {rows:,} now"] if rows != then else []
    new, gone = set(version.features) - set(before.features), set(before.features) - set(version.features)
    found += [f"inputs added: {', '.join(sorted(new))}"] if new else []
    found += [f"inputs dropped: {', '.join(sorted(gone))}"] if gone else []
    found += ["its code changed"] if version.code_version != before.code_version else []
    for name in model.score_names():
        if name in before.scores and name in version.scores:
            found.append(f"{name.replace('_', ' ')}: {before.scores[name]:.3f} then, {version.scores[name]:.3f} now")
    return found
