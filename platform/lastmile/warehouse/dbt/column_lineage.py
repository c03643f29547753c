"""Which columns a model's columns are worked out from, read from its SQL as it is written.

Macros are not expanded: they are read as functions of the columns they are given. What a filter or a join lets
through is not followed, only what a column's value is made of.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn

import jinja2
from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError
from sqlglot.lineage import Node, lineage
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import build_scope


class NotFollowed(Exception):
    """The SQL is beyond what can be read here."""


def relation_name(node: Mapping[str, Any]) -> str:
    """A name of a node of dbt's manifest that no source shares with what is `ref`ed, a model or snapshot, nor a CTE."""
    kind = "source" if node["resource_type"] == "source" else "model"
    return f"{kind}__{node.get('source_name', '')}__{node['name']}"


def origins(node: Mapping[str, Any], parents: Mapping[str, Iterable[str]]) -> dict[str, list[tuple[str, str]]]:
    """For each column of a model the (relation, column) pairs it is worked out from.

    `node` is the model in dbt's manifest, `parents` the columns of what it reads, by `relation_name`. Raises
    NotFollowed.
    """
    schema: dict[str, object] = {name: dict.fromkeys(columns, "text") for name, columns in parents.items()}
    try:
        return _leaves(_rendered(node), schema)
    except (SqlglotError, jinja2.TemplateError) as error:
        raise NotFollowed(node["name"]) from error


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
