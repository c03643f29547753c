"""What a request to Dagster's GraphQL would change: the names of the mutations in it."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from graphql import DocumentNode, FieldNode, FragmentSpreadNode, InlineFragmentNode, OperationDefinitionNode, parse
from graphql.error import GraphQLError
from graphql.language import FragmentDefinitionNode, OperationType, SelectionSetNode


def mutations(body: bytes, content_type: str, parameters: Mapping[str, Sequence[str]]) -> set[str]:
    """Fields of all mutations of the document, wherever Dagster would look for it; none where it is no document, which
    Dagster refuses."""
    try:
        document = parse(_query(body, content_type, parameters))
    except GraphQLError:
        return set()
    fragments = {one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)}
    return {
        name
        for operation in _operations(document)
        if operation.operation is OperationType.MUTATION
        for name in _fields(operation.selection_set, fragments)
    }


def _query(body: bytes, content_type: str, parameters: Mapping[str, Sequence[str]]) -> str:
    if "application/json" in content_type:
        try:
            found: Any = orjson.loads(body)
        except orjson.JSONDecodeError:
            return ""
        return str(found.get("query") or "") if isinstance(found, dict) else ""
    if "application/graphql" in content_type:
        return body.decode(errors="replace")
    return next(iter(parameters.get("query", ())), "")


def _operations(document: DocumentNode) -> list[OperationDefinitionNode]:
    return [one for one in document.definitions if isinstance(one, OperationDefinitionNode)]


def _fields(selections: SelectionSetNode, fragments: Mapping[str, FragmentDefinitionNode]) -> set[str]:
    found: set[str] = set()
    for one in selections.selections:
        if isinstance(one, FieldNode):
            found.add(one.name.value)
        elif isinstance(one, InlineFragmentNode):
            found |= _fields(one.selection_set, fragments)
        elif isinstance(one, FragmentSpreadNode) and one.name.value in fragments:
            rest = {name: part for name, part in fragments.items() if name != one.name.value}
            found |= _fields(fragments[one.name.value].selection_set, rest)
    return found
