"""Running Dagster's daemon in a process of ours, and how often its parts look."""

import logging

from dagster import DagsterInstance
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster._daemon import asset_daemon, controller, sensor

log = logging.getLogger(__name__)


def run_daemon(instance: DagsterInstance, workspace: str) -> None:
    """Work on the code locations of the workspace file until interrupted."""
    target = WorkspaceFileTarget([workspace])
    with controller.daemon_controller_from_instance(instance, target, log_level="warning") as daemons:
        daemons.check_daemon_loop()


def set_backfill_interval(seconds: int) -> None:
    """Between two looks at backfills, for daemons started after this."""
    _set(controller, "DEFAULT_DAEMON_INTERVAL_SECONDS", seconds)


def set_sensor_interval(seconds: int) -> None:
    """Between two looks at which sensors, and which automation sensors, are due; at once."""
    _set(sensor, "MIN_INTERVAL_LOOP_TIME", seconds)
    _set(asset_daemon, "MIN_INTERVAL_LOOP_SECONDS", seconds)


def _set(module: object, constant: str, value: int) -> None:
    """No setting of Dagster's changes these. Where a later version has renamed one, only the pace is lost."""
    if hasattr(module, constant):
        setattr(module, constant, value)
    else:
        log.warning("Dagster has no %s any more: its daemon keeps its own pace", constant)
