"""A training from rows to a judged version: prepared, fitted, evaluated, registered, compared with the champion.

Each step is kept before the next, and a training that is repeated after it died goes on from what is kept: the same
rows and recipe make no second version, and a version without a judgement is judged from its files.
"""

from typing import Any

import pandas as pd
from psycopg import Connection

from lastmile.learning.declarations.loading import Declared
from lastmile.learning.declarations.model import Model
from lastmile.learning.evaluation.comparison import Comparison, compare, paired
from lastmile.learning.evaluation.evaluation import train_and_evaluate
from lastmile.learning.evaluation.judgement import judge
from lastmile.learning.frames import content, contents, parquet
from lastmile.learning.registry import judgements
from lastmile.learning.registry.artifacts import ArtifactRefused
from lastmile.learning.registry.deployments import champion
from lastmile.learning.registry.events import Cause
from lastmile.learning.registry.judgements import Judged
from lastmile.learning.registry.onnx_export import export
from lastmile.learning.registry.versions import Candidate, ModelVersion, latest, load, register
from lastmile.learning.training.fitting import chosen, labelled, recipe
from lastmile.learning.training.folds import FEWEST_ROWS, folds
from lastmile.learning.training.preparation import prepare
from lastmile.ledger import loaded_ids
from lastmile.store import Store
from lastmile.telemetry.spans import span

#: Rows that the export must agree on.
_PARITY_ROWS = 5_000


def train(
    connection: Connection, store: Store, declared: Declared[Model], rows: pd.DataFrame, cause: Cause
) -> tuple[ModelVersion, Judged]:
    """The version that these rows make, the newest one where it is that, and what it is judged.

    Raises TooLittleData where there is not enough to learn from.
    """
    model = declared.value
    known = labelled(model, rows)
    made_of = {"recipe": recipe(model, declared.code_version), "rows": content(known)}
    version = latest(connection, model.name)
    with span("learning.train", model=model.name, rows=len(known)) as done:
        if version is None or not version.made_from(made_of["rows"], made_of["recipe"]):
            version = register(connection, store, _candidate(connection, store, declared, known, made_of, cause))
        found = judged(connection, store, model, version, cause.run_id)
        done(version=version.version, decision=found.decision)
    return version, found


def _candidate(
    connection: Connection,
    store: Store,
    declared: Declared[Model],
    known: pd.DataFrame,
    made_of: dict[str, Any],
    cause: Cause,
) -> Candidate:
    model = declared.value
    if len(known) < FEWEST_ROWS:
        folds(model, known)  # raises TooLittleData, with what there is
    drops = loaded_ids(connection, store.url, model.features.datasets)  # before others come while it is trained
    prepared = prepare(model, known)
    with span("learning.evaluate", model=model.name, rows=len(prepared.rows)):
        trained = train_and_evaluate(model, prepared.rows)
    return Candidate(
        name=model.name,
        estimator=trained.estimator,
        feature_set=model.features.name,
        features=model.inputs,
        data_versions={
            **made_of,
            "row_count": len(known),
            "partitions": contents(known, model.features.partition_column),
            "drops": drops,
            "facts": prepared.facts,
            "notes": prepared.notes,
            "chosen": chosen(model, trained.estimator),
        },
        scores=trained.evaluation.as_json(),
        run_id=cause.run_id,
        trusted=model.trusted,
        signature=signature(model),
        code_version=declared.code_version,
        rows=known,
        held_out=trained.held_out,
        onnx=export(model, trained.estimator, prepared.rows.head(_PARITY_ROWS), known),
        reason=cause.reason,
    )


def signature(model: Model) -> dict[str, Any]:
    """The inputs with their kinds and units, and what is predicted."""
    columns = [model.features.columns[name] for name in model.inputs]
    return {
        "inputs": [{"name": column.name, "kind": column.kind, "unit": column.unit} for column in columns],
        "target": model.target,
        "task": type(model.task).__name__.lower(),
        "levels": list(getattr(model.task, "levels", ())),
        "unit": getattr(model.task, "unit", None),
    }


def judged(connection: Connection, store: Store, model: Model, version: ModelVersion, run_id: str | None) -> Judged:
    """What the version is judged against the champion of now; the champion itself keeps the judgement that it has."""
    current, before = champion(connection, model.name), judgements.last(connection, model.name, version.version)
    if before and (current is None or current.version in (before.against, version.version)):
        return before
    comparison = None
    rival = current if current and current.held_out_key else None  # one made before versions were judged is no rival
    if rival is not None and rival.version != version.version:
        comparison = compared(store, model, version, rival)
    facts, rival_facts = (one.data_versions.get("facts", {}) if one else None for one in (version, rival))
    found = judge(model, version.scores, facts or {}, rival.scores if rival else None, rival_facts, comparison)
    return judgements.keep(connection, version, current, found.decision, found.reasons, found.comparison, run_id)


def compared(store: Store, model: Model, version: ModelVersion, current: ModelVersion) -> Comparison | None:
    """The version next to the champion, or another one, on rows that neither has seen; None where one of them left
    nothing to compare with."""
    group = model.features.group
    rows, candidate = (parquet(store, key) for key in (version.snapshot_key, version.held_out_key))
    seen, before = parquet(store, current.snapshot_key, [group]), parquet(store, current.held_out_key)
    if rows is None or candidate is None or seen is None or before is None:
        return None
    try:
        estimator = load(store, current, model.trusted) if {*current.features} <= {*rows.columns} else None
    except ArtifactRefused:
        estimator = None
    return compare(model, paired(model, rows, candidate, before, estimator, set(seen[group])))
