"""Where a row comes from: a prediction to its version and feature row, a feature row to the relations it was made from,
any row to the rows that were loaded, and these to their drops and lines.

What SQL makes does not carry the lines it came from. There a row is followed by the values of the columns that it
shares with what is upstream, and each step says by which: it finds every row that can have contributed, and for a key
of an entity, such as a household, just these.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from psycopg import Connection

from lastmile.catalogue.entries import Catalogue, Dataset, FeatureSetEntry
from lastmile.errors import UserError
from lastmile.learning.registry.summary import version_facts
from lastmile.ledger.query import origins
from lastmile.warehouse.lookup import Row, column_types, rows_with

#: Rows of one step at most.
MOST = 100
#: Columns by which a relation names the line of a drop, in the relation and in `raw.<dataset>`.
_EXACT = ((("_drop_id", "_line"), ("_drop_id", "_line")), (("drop_id", "line_number"), ("_drop_id", "_line")))
LOADED = ("raw", "cleaned")


@dataclass(frozen=True)
class Step:
    """Rows of a table (`schema.table`) that the row was traced to, and by which columns."""

    table: str
    by: str
    rows: Sequence[Row]

    @property
    def is_complete(self) -> bool:
        return len(self.rows) < MOST


@dataclass
class Trace:
    """Steps from the row itself upstream, what could not be followed, versions that predicted, drops of origin."""

    steps: list[Step] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    versions: list[Row] = field(default_factory=list)
    drops: list[Row] = field(default_factory=list)


@dataclass(frozen=True)
class Tracer:
    """`upstream` names the datasets that a relation (`schema.table`) is made from."""

    connection: Connection
    store: str
    catalogue: Catalogue
    upstream: Callable[[str], Collection[str]]

    def trace(self, layer: str, table: str, key: Mapping[str, str]) -> Trace:
        """Raises UserError where there is no such table, or its columns do not have such values."""
        found = Trace()
        if layer in LOADED and table in self.catalogue.datasets:
            self._start(found, "raw", table, key)
        elif layer == "features" and table in self.catalogue.feature_sets:
            self._features(found, self.catalogue.feature_sets[table], [key], "what is given")
        elif layer == "predictions" and table in self.catalogue.models:
            self._predictions(found, table, key)
        elif f"{layer}.{table}" in self.catalogue.relations:
            rows = self._start(found, layer, table, key)
            names = self.catalogue.relations[f"{layer}.{table}"].key
            self._loaded(found, self.upstream(f"{layer}.{table}"), rows, names)
        else:
            raise UserError(f"there is no table {table} in {layer}; GET /api/v1/data lists those there are")
        self._drops(found)
        return found

    def _start(self, found: Trace, schema: str, table: str, key: Mapping[str, str]) -> list[Row]:
        rows = rows_with(self.connection, schema, table, [key], MOST)
        found.steps.append(Step(f"{schema}.{table}", "what is given", rows))
        return rows

    def _predictions(self, found: Trace, model: str, key: Mapping[str, str]) -> None:
        rows = self._start(found, "predictions", model, key)
        versions = sorted({(row["model_name"], row["model_version"]) for row in rows})
        found.versions = [facts for one in versions if (facts := version_facts(self.connection, *one))]
        features = self.catalogue.feature_sets[self.catalogue.models[model].features]
        if wanted := _distinct(rows, [*features.entity, features.partition_column]):
            self._features(found, features, wanted, _named(wanted[0]))

    def _features(self, found: Trace, features: FeatureSetEntry, wanted: Sequence[Mapping[str, Any]], by: str) -> None:
        rows = rows_with(self.connection, "features", features.name, wanted, MOST)
        found.steps.append(Step(f"features.{features.name}", by, rows))
        for source in features.sources:
            self._source(found, source, _distinct(rows, [*features.entity, features.partition_column]))
        self._loaded(found, features.datasets, rows, features.entity)

    def _source(self, found: Trace, source: str, wanted: Sequence[Row]) -> None:
        schema, table = source.split(".", 1)
        types = column_types(self.connection, schema, table)
        shared = _distinct(wanted, [name for name in wanted[0] if name in types]) if wanted else []
        if shared:
            rows = rows_with(self.connection, schema, table, shared, MOST)
            found.steps.append(Step(source, _named(shared[0]), rows))
        elif wanted:
            found.notes.append(f"{source}: has no column of the row's key, so it is not followed to rows")

    def _loaded(self, found: Trace, datasets: Iterable[str], rows: Sequence[Row], names: Sequence[str]) -> None:
        """The rows of these datasets that rows go back to, which are known by the columns `names`."""
        for dataset in sorted(datasets) if rows else ():
            self._loaded_from(found, self.catalogue.datasets[dataset], rows, names)

    def _loaded_from(self, found: Trace, dataset: Dataset, rows: Sequence[Row], names: Sequence[str]) -> None:
        types = column_types(self.connection, "raw", dataset.name)
        for own, theirs in _EXACT:
            if {*own} <= rows[0].keys() and types:
                exact = [dict(zip(theirs, map(row.__getitem__, own), strict=True)) for row in rows]
                self._step(found, dataset, exact, "drop and line")
                return
        shared = [name for name in (names or dataset.key) if name in types and name in rows[0]]
        wanted = _distinct(rows, shared)
        if not wanted:
            found.notes.append(f"raw.{dataset.name}: shares no key column with the row, so it is not followed to rows")
            return
        if dataset.partition_column is None and "partition_start" in rows[0]:
            within = [
                {**{name: row[name] for name in shared}, "_partition_start": row["partition_start"]}
                for row in _distinct(rows, [*shared, "partition_start"])
            ]
            if self._step(found, dataset, within, f"{_named(wanted[0])} and partition"):
                return
        self._step(found, dataset, wanted, f"{_named(wanted[0])}, of all partitions")

    def _step(self, found: Trace, dataset: Dataset, wanted: Sequence[Mapping[str, Any]], by: str) -> bool:
        """False, and no step, where there are no such rows."""
        rows = rows_with(self.connection, "raw", dataset.name, wanted, MOST) if wanted else []
        if rows:
            found.steps.append(Step(f"raw.{dataset.name}", by, rows))
        return bool(rows)

    def _drops(self, found: Trace) -> None:
        raw = [step for step in found.steps if step.table.startswith("raw.")]
        found.drops = origins(
            self.connection, self.store, sorted({row["_drop_id"] for step in raw for row in step.rows})
        )


def _distinct(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[Row]:
    """The values of these columns, each once, of rows that have all of them."""
    found = {tuple(row.get(name) for name in names): None for row in rows} if names else {}
    return [dict(zip(names, values, strict=True)) for values in found if None not in values]


def _named(row: Mapping[str, Any]) -> str:
    return ", ".join(row)
