"""Dagster's GraphQL API without a webserver: the same schema, carried out in this process on a workspace."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dagster import DagsterInstance
from dagster._core.definitions.assets.graph.base_asset_graph import BaseAssetGraph
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster_graphql.schema import create_schema

from lastmile.errors import Unreachable


@dataclass(frozen=True)
class Workspace:
    """The code locations that a workspace file names, as loaded."""

    context: WorkspaceProcessContext

    def asset_graph(self) -> BaseAssetGraph[Any]:
        return self.context.create_request_context().asset_graph

    def loaded_graph(self) -> BaseAssetGraph[Any]:
        """The same. Raises Unreachable where no code is loaded, as while its server is away."""
        context = self.context.create_request_context()
        if not context.code_locations:
            reasons = "; ".join(error.message.strip().splitlines()[0] for error in context.code_location_errors())
            raise Unreachable(f"Dagster's code server does not answer ({reasons[:200]}); start `lastmile up`, or wait")
        return context.asset_graph

    def execute(self, query: str, variables: Mapping[str, object]) -> dict[str, Any]:
        """The data of the answer. Raises RuntimeError where the query does not fit Dagster's schema."""
        context = self.context.create_request_context()
        answer = asyncio.run(create_schema().execute_async(query, context_value=context, variable_values=variables))
        if answer.errors:
            raise RuntimeError("; ".join(error.message for error in answer.errors))
        data: dict[str, Any] = answer.data
        return data


@contextmanager
def workspace(instance: DagsterInstance, file: Path) -> Iterator[Workspace]:
    """Load the workspace, which takes a second where its code servers are up."""
    with WorkspaceProcessContext(instance, WorkspaceFileTarget([str(file)])) as context:
        yield Workspace(context)
