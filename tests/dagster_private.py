"""What tests need of Dagster beyond its public names: code locations in this process, runs in some state."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from dagster import DagsterInstance, DagsterRun, JobDefinition
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.definitions.reconstruct import ReconstructableJob, ReconstructableRepository
from dagster._core.definitions.selector import InstigatorSelector
from dagster._core.execution.api import execute_run_iterator
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill
from dagster._core.execution.plan.objects import StepFailureData
from dagster._core.instance.config import PoolGranularity
from dagster._core.launcher import LaunchRunContext
from dagster._core.op_concurrency_limits_counter import GlobalOpConcurrencyLimitsCounter
from dagster._core.remote_origin import (
    GrpcServerCodeLocationOrigin,
    InProcessCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    SensorInstigatorData,
    TickData,
    TickStatus,
)
from dagster._core.storage.dagster_run import RunOpConcurrency
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
from dagster_shared.error import SerializableErrorInfo

__all__ = [
    "BulkActionStatus",
    "DagsterGrpcClient",
    "FreshnessDaemon",
    "GlobalOpConcurrencyLimitsCounter",
    "InstigatorStatus",
    "LaunchRunContext",
    "PartitionBackfill",
    "PoolGranularity",
    "ReconstructableJob",
    "ReconstructableRepository",
    "RunOpConcurrency",
    "StepFailureData",
    "add_tick",
    "carried_out",
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


def carried_out(instance: DagsterInstance, job: JobDefinition) -> DagsterRun:
    """A run of the job in this process, at its end."""
    run = instance.create_run_for_job(job)
    for _ in execute_run_iterator(InMemoryJob(job), run, instance):
        pass
    found = instance.get_run_by_id(run.run_id)
    assert found
    return found


def add_tick(instance: DagsterInstance, sensor: str, status: str, error: str | None = None) -> None:
    """A tick of that sensor, as the daemon writes it: `status` is a name of TickStatus."""
    repository = origin_of(3000)
    origin = RemoteInstigatorOrigin(repository, sensor)
    selector = InstigatorSelector(location_name="lastmile", repository_name="__repository__", name=sensor).get_id()
    if not instance.get_instigator_state(origin.get_id(), selector):
        state = InstigatorState(
            origin, InstigatorType.SENSOR, InstigatorStatus.DECLARED_IN_CODE, SensorInstigatorData()
        )
        instance.add_instigator_state(state)
    failure = SerializableErrorInfo(error, [], "ValueError") if error else None
    instance.create_tick(
        TickData(
            instigator_origin_id=origin.get_id(),
            instigator_name=sensor,
            instigator_type=InstigatorType.SENSOR,
            status=TickStatus(status),
            timestamp=get_current_datetime().timestamp(),
            selector_id=selector,
            run_ids=[],
            error=failure,
        )
    )
