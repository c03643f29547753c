"""Models, by the registry: drift, performance, floor, candidates, trainings."""

from collections.abc import Iterator

from psycopg import Connection

from lastmile.learning.registry import watched
from lastmile.operations.alerts.rule import Reading

_MOST_SAID = 300


def models(connection: Connection) -> Iterator[tuple[str, str, Reading]]:
    """Rule, model and reading."""
    for row in watched.drifted(connection):
        yield "drift", row["name"], Reading(row["inputs"], row["partition"], row["words"])
    fell: dict[str, list[str]] = {}
    for row in watched.performance_fell(connection):
        what = f"{row['partition']}: {row['metric']} {row['score']:.3g}, expected {row['expected']:.3g}"
        fell.setdefault(row["name"], []).append(what)
    for name, said in fell.items():
        yield "performance", name, Reading(len(said), "", "; ".join(said)[:_MOST_SAID])
    for row in watched.floor_scores(connection):
        yield "floor", row["name"], Reading(row["score"], "", f"{row['metric']} of version {row['version']}")
    for row in watched.suspects(connection):
        yield "promotion", row["name"], Reading(1, "", f"version {row['version']}: {row['reasons']}"[:_MOST_SAID])
    for row in watched.failed_trainings(connection):
        yield "training", row["name"], Reading(row["failures"], "", row["outcome"][:_MOST_SAID])
