"""Which columns of the warehouse are derived from which quantities, read from the SQL of the dbt project itself.

A column measures a quantity where its metadata says so (`measures`, which sources have from their contracts), where it
says what it is `derived_from`, and where its SQL is worked out from columns that measure it. What a filter or a join
lets through is not followed, only what a column's value is made of.
"""

from collections.abc import Callable, Mapping
from graphlib import TopologicalSorter
from typing import Any, NoReturn

import jinja2
from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError
from sqlglot.lineage import Node, lineage
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import build_scope

#: Column to the quantities it is derived from; of the columns that are derived from none, an empty set.
Measures = dict[str, frozenset[str]]
NOTHING: frozenset[str] = frozenset()


def measures(manifest: Mapping[str, Any]) -> dict[str, Measures]:
    """What the columns of every model measure, by the model's name; `manifest` is dbt's, as parsed from JSON."""
    models = {key: node for key, node in manifest["nodes"].items() if node["resource_type"] == "model"}
    relations = {**manifest["sources"], **models}
    parents = {key: [parent for parent in _parents(node) if parent in relations] for key, node in relations.items()}
    found: dict[str, Measures] = {}
    for key in TopologicalSorter(parents).static_order():
        known = {_relation_name(relations[parent]): found[parent] for parent in parents[key]}
        found[key] = _of_relation(relations[key], known)
    return {node["name"]: found[key] for key, node in models.items()}


def _parents(node: Mapping[str, Any]) -> list[str]:
    return list(node.get("depends_on", {}).get("nodes", []))


def _relation_name(node: Mapping[str, Any]) -> str:
    """A name that neither a source nor a model shares with another, nor with a CTE."""
    return f"{node['resource_type']}__{node.get('source_name', '')}__{node['name']}"


def _of_relation(node: Mapping[str, Any], parents: Mapping[str, Measures]) -> Measures:
    declared = {name: _declared(column, parents) for name, column in node["columns"].items()}
    computed = _of_sql(node, parents) if node.get("raw_code") else {}
    return {name: declared.get(name, NOTHING) | computed.get(name, NOTHING) for name in {**declared, **computed}}


def _declared(column: Mapping[str, Any], parents: Mapping[str, Measures]) -> frozenset[str]:
    """`measures` names a quantity; `derived_from` lists quantities, or columns of the model's parents."""
    meta = {**column.get("meta", {}), **column.get("config", {}).get("meta", {})}
    stated = {meta["measures"]} if meta.get("measures") else set()
    for origin in meta.get("derived_from", []):
        known = [columns[origin] for columns in parents.values() if origin in columns]
        stated |= NOTHING.union(*known) if known else {origin}
    return frozenset(stated)


def _of_sql(node: Mapping[str, Any], parents: Mapping[str, Measures]) -> Measures:
    """By the SQL. Where it cannot be followed, a column that is not its parents' is taken to measure all they do."""
    try:
        leaves = _leaves(_rendered(node), {name: dict.fromkeys(columns, "text") for name, columns in parents.items()})
    except (SqlglotError, jinja2.TemplateError):
        unchanged = {name: quantities for columns in parents.values() for name, quantities in columns.items()}
        everything = NOTHING.union(*unchanged.values())
        return {name: unchanged.get(name, everything) for name in {**unchanged, **node["columns"]}}
    return {
        name: NOTHING.union(*(parents[table].get(column, NOTHING) for table, column in origins))
        for name, origins in leaves.items()
    }


def _leaves(query: str, schema: dict[str, object]) -> dict[str, list[tuple[str, str]]]:
    """For each column of a query's result, the (table, column) pairs of the schema its value is worked out from."""
    qualified = qualify(parse_one(query, dialect="postgres"), schema=schema, dialect="postgres", identify=False)
    roots = lineage(None, qualified, schema, scope=build_scope(qualified), dialect="postgres")
    return {name: [pair for node in root.walk() for pair in _origin(node, schema)] for name, root in roots.items()}


def _origin(node: Node, schema: dict[str, object]) -> list[tuple[str, str]]:
    table = node.source.name if isinstance(node.source, exp.Table) else ""
    return [(table, node.name.rpartition(".")[2].strip('"'))] if table in schema else []


class _Call(jinja2.Undefined):
    """A macro we do not have: written as an SQL function of its arguments, so that the columns it is given are seen."""

    def __call__(self, *arguments: object, **named: object) -> str:  # type: ignore[override]  # jinja's own always raises
        return f"{self._undefined_name}({', '.join(map(str, (*arguments, *named.values())))})"

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(name)  # jinja asks whether a callable wants its context; Undefined answers with an error


def _rendered(node: Mapping[str, Any]) -> str:
    """The model's SQL without dbt: `ref` and `source` as our names for the relations, other macros as functions."""
    names: dict[str, Callable[..., str]] = {
        "ref": lambda *names, **_: f"model____{names[-1]}",
        "source": lambda source, table: f"source__{source}__{table}",
        "config": lambda *_, **__: "",
        "is_incremental": lambda: "",
    }
    environment = jinja2.Environment(undefined=_Call, autoescape=False)  # noqa: S701  # SQL, not HTML
    return environment.from_string(node["raw_code"]).render(names)
