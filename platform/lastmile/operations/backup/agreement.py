"""Whether database and store agree: ledger, tables, objects and models, after a restore or at any time."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from psycopg import Connection

from lastmile.learning.registry.versions import ModelVersion, every_version
from lastmile.ledger.presence import present_keys
from lastmile.ledger.query import datasets, results_of
from lastmile.ledger.relocation import cleaned_keys, unregistered
from lastmile.operations.audit import violations
from lastmile.store import Missing, Store
from lastmile.store.landing import LANDING, is_unfinished, printable
from lastmile.warehouse.lookup import column_types


@dataclass(frozen=True)
class Agreement:
    """`faults` are disagreements, one sentence each; `missing` are objects that the database names and the store has
    not; `newer` are objects of the landing area that the ledger does not know, which the next discovery ingests."""

    datasets: int
    drops: int
    rows: int
    objects: int
    models: int
    faults: tuple[str, ...]
    missing: tuple[str, ...]
    newer: tuple[str, ...]


def agreement(connection: Connection, store: Store) -> Agreement:
    """Read all of it and compare. The artifacts of models are read and hashed."""
    names = datasets(connection)
    listed = {printable(one.key): one.version for one in store.list("")}
    landed = [(key, version) for key, version in listed.items() if key.startswith(LANDING) and not is_unfinished(key)]
    newer = sorted(landed[place][0] for place in unregistered(connection, store.url, landed))
    drops = [drop for name in names for drop in results_of(connection, name)]
    models = every_version(connection)
    missing = [
        *sorted(present_keys(connection, store.url, ()) - listed.keys()),
        *sorted(set(cleaned_keys(connection, store.url)) - listed.keys()),
        *(key for model in models for key in _keys(model) if key not in listed),
    ]
    return Agreement(
        datasets=len(names),
        drops=len(drops),
        rows=sum(drop.rows_loaded for drop in drops if drop.state == "loaded"),
        objects=len(listed),
        models=len(models),
        faults=(
            *(fault for name in names for fault in _books(connection, name)),
            *(fault for model in models for fault in _artifacts(store, model, listed)),
        ),
        missing=tuple(missing),
        newer=tuple(newer),
    )


def _books(connection: Connection, dataset: str) -> list[str]:
    """Drops of a dataset whose rows and ledger disagree."""
    if column_types(connection, "raw", dataset):
        return [f"{dataset}: {fault}" for fault in violations(connection, dataset)]
    loaded = [drop for drop in results_of(connection, dataset) if drop.state == "loaded"]
    return [f"{dataset}: {len(loaded)} drops are loaded, and there is no table raw.{dataset}"] if loaded else []


def _artifacts(store: Store, model: ModelVersion, listed: Mapping[str, str]) -> Iterator[str]:
    """Files of a version of a model that are not those that were registered."""
    for key, sha256 in ((model.artifact_key, model.sha256), (model.onnx.get("key"), model.onnx.get("sha256"))):
        if key is None or key not in listed:
            continue
        try:
            found = hashlib.sha256(store.read(key)).hexdigest()
        except Missing:
            continue
        if found != sha256:
            yield f"model {model.name} version {model.version}: {key} is not the file that was registered"


def _keys(model: ModelVersion) -> list[str]:
    return [key for key in (model.artifact_key, model.snapshot_key, model.held_out_key, model.onnx.get("key")) if key]
