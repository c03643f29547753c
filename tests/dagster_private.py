"""What tests need of Dagster beyond its public names: code locations in this process, runs in some state."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from dagster import DagsterInstance
from dagster._core.definitions.reconstruct import ReconstructableJob, ReconstructableRepository
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill
from dagster._core.launcher import LaunchRunContext
from dagster._core.remote_origin import (
    GrpcServerCodeLocationOrigin,
    InProcessCodeLocationOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.test_utils import InProcessTestWorkspaceLoadTarget, create_run_for_test, freeze_time
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._daemon import controller
from dagster._daemon.freshness import FreshnessDaemon
from dagster._daemon.monitoring.run_monitoring import monitor_started_run
from dagster._grpc import server_watcher
from dagster._grpc.__generated__ import dagster_api_pb2
from dagster._grpc.client import DagsterGrpcClient
from dagster._time import get_current_datetime

__all__ = [
    "BulkActionStatus",
    "DagsterGrpcClient",
    "FreshnessDaemon",
    "LaunchRunContext",
    "PartitionBackfill",
    "ReconstructableJob",
    "ReconstructableRepository",
    "controller",
    "create_run_for_test",
    "dagster_api_pb2",
    "later",
    "monitor_started_run",
    "origin_of",
    "server_watcher",
    "workspace_of",
]


@contextmanager
def workspace_of(instance: DagsterInstance, file: Path) -> Iterator[WorkspaceProcessContext]:
    """The code location that a Python file is, loaded in this process."""
    origin = InProcessCodeLocationOrigin(LoadableTargetOrigin(python_file=str(file)))
    with WorkspaceProcessContext(instance, InProcessTestWorkspaceLoadTarget(origin)) as context:
        yield context


@contextmanager
def later(by: timedelta) -> Iterator[None]:
    """Dagster's clock, so much ahead."""
    with freeze_time(get_current_datetime() + by):
        yield


def origin_of(port: int) -> RemoteRepositoryOrigin:
    """The repository of the code server at that port."""
    location = GrpcServerCodeLocationOrigin(host="127.0.0.1", port=port, location_name="lastmile")
    return RemoteRepositoryOrigin(location, "__repository__")
