"""How an installation stands, in numbers: the one source for `status`, the API, the metrics and the progress.

The numbers come from the views `ledger.state` and `ledger.backlog`, which say what each of them means.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import Connection

from lastmile.learning.registry.summary import predictions_by_level, scores_in_use
from lastmile.ledger import state
from lastmile.ledger.state import Row
from lastmile.ledger.unrouted import unrouted

OUTCOMES = ("read", "loaded", "quarantined", "duplicate")
IN_FORCE = ("loaded", "quarantined")


def summary(connection: Connection, store: str) -> dict[str, Any]:
    """What `datasets` says of each, the same over all of them, models in use, predictions by model and level."""
    by_dataset = datasets(connection, store)
    return {
        **_total(list(by_dataset.values())),
        "datasets": by_dataset,
        "models": scores_in_use(connection),
        "predictions": predictions_by_level(connection),
    }


def datasets(connection: Connection, store: str) -> dict[str, dict[str, Any]]:
    """How each dataset stands, by name.

    `drops` counts by state; `rows` are those of drops in force, so that what a newer version replaced is not counted
    twice. `backlog` is the number of drops waiting, `lag_seconds` the age of the oldest of them. `late` is the number
    of drops that arrived after the end of their partition, `lateness_seconds` how long after the latest of them did.
    `newest_age_seconds` is the age of the newest drop. `undecided` counts what is quarantined, as rows or as whole
    drops, and neither released nor discarded; `failures` are those of the drops that failed or are missing.
    """
    found = _routed(state.by_state(connection, store), Counter(one.dataset for one in unrouted(connection, store)))
    waiting = state.backlog(connection, store)
    lags = {row["dataset"]: row for row in waiting}
    names = dict.fromkeys(row["dataset"] for row in found)
    return {name: _dataset([row for row in found if row["dataset"] == name], lags.get(name, {})) for name in names}


def _routed(states: Sequence[Row], unrouted_by_dataset: Mapping[str, int]) -> list[Row]:
    """Without the drops that fit no contract: what their keys say is no dataset."""
    left = []
    for row in states:
        count = unrouted_by_dataset.get(row["dataset"], 0) if row["state"] == "failed" else 0
        if row["drops"] > count:
            left.append(
                {**row, "drops": row["drops"] - count, "undecided_drops": max(row["undecided_drops"] - count, 0)}
            )
    return left


def _dataset(states: Sequence[Row], waiting: Mapping[str, Any]) -> dict[str, Any]:
    in_force = [row for row in states if row["state"] in IN_FORCE]
    failed = [row for row in states if row["state"] in ("failed", "missing")]
    return {
        "drops": {row["state"]: row["drops"] for row in states},
        "rows": {name: sum(row[name] for row in in_force) for name in OUTCOMES},
        "backlog": waiting.get("backlog", 0),
        "lag_seconds": round(waiting.get("lag_seconds", 0.0), 1),
        "late": sum(row["late"] for row in states),
        "lateness_seconds": round(max(row["lateness_seconds"] for row in states), 1),
        "newest_age_seconds": round(max(0.0, min(row["newest_age_seconds"] for row in states)), 1),
        "undecided": {
            "rows": sum(row["undecided_rows"] for row in states),
            "drops": sum(row["undecided_drops"] for row in states),
        },
        "failures": sum(row["undecided_drops"] for row in failed),
        "removed": sum(row["removed"] for row in states),
    }


def _total(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "drops": _sum(part["drops"] for part in parts),
        "rows": dict.fromkeys(OUTCOMES, 0) | _sum(part["rows"] for part in parts),
        "undecided": {"rows": 0, "drops": 0} | _sum(part["undecided"] for part in parts),
        **{name: sum(part[name] for part in parts) for name in ("backlog", "late", "failures", "removed")},
        **{name: max((part[name] for part in parts), default=0.0) for name in ("lag_seconds", "lateness_seconds")},
        "newest_age_seconds": min((part["newest_age_seconds"] for part in parts), default=None),
    }


def _sum(counts: Any) -> dict[str, int]:
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    return dict(total)
