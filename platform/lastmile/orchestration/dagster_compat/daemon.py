"""Running Dagster's daemon in a process of ours, its loops at a pace of ours."""

import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from dagster import DagsterInstance
from dagster._core.remote_representation.grpc_server_state_subscriber import LocationStateSubscriber
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster._daemon import controller
from dagster._daemon.controller import create_daemons_from_instance as _daemons
from dagster._daemon.daemon import DagsterDaemon, SchedulerDaemon

from lastmile.orchestration.dagster_compat.pacing import set_constant, watch_code_servers_less_often
from lastmile.telemetry.logs import adopt

#: Waits on behalf of a loop, named by its daemon's type, where Dagster would wait for so many seconds.
Wait = Callable[[str, float], None]

#: The workspace follows its code servers by watching them; loading all of it anew every minute as well costs the daemon
#: and the code server a second of CPU each time.
RELOAD_SECONDS = 3600


class Loop(threading.Event):
    """Dagster's event of the shutdown, as one of its loops has it: to wait on it is what `wait` makes of that."""

    def __init__(self, stopped: threading.Event, wait: Callable[[float], None]) -> None:
        super().__init__()
        self._stopped, self._wait = stopped, wait

    def is_set(self) -> bool:
        return self._stopped.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        if timeout is None:
            return self._stopped.wait()
        self._wait(timeout)
        return self._stopped.is_set()


def run_daemon(
    instance: DagsterInstance, workspace: str, wait: Wait, on_reload: Callable[[], None], on_end: Callable[[], None]
) -> None:
    """Work on the code locations of the workspace file until interrupted.

    `on_reload` is called when a code server has changed, `on_end` when waits are to end. The loop of the schedules,
    which sleeps to the next minute, keeps its own wait.
    """
    set_constant(controller, "RELOAD_WORKSPACE_INTERVAL", RELOAD_SECONDS)
    watch_code_servers_less_often()
    target = WorkspaceFileTarget([workspace])
    with controller.daemon_controller_from_instance(
        instance, target, gen_daemons=lambda of: paced(_daemons(of), wait), log_level="warning"
    ) as daemons:
        adopt()  # its loggers, which it has just set up
        context: Any = daemons._workspace_process_context
        context.add_state_subscriber(LocationStateSubscriber(lambda _: on_reload()))
        try:
            daemons.check_daemon_loop()
        finally:
            on_end()


def paced(daemons: Sequence[DagsterDaemon[Any]], wait: Wait) -> Sequence[DagsterDaemon[Any]]:
    """The same, whose loops wait by `wait`."""
    for one in daemons:
        if not isinstance(one, SchedulerDaemon):
            loop = partial(_core_loop, one.core_loop, partial(wait, one.daemon_type()))
            vars(one)["core_loop"] = loop  # of this one only
    return daemons


def _core_loop(loop: Any, wait: Callable[[float], None], context: Any, stopped: threading.Event) -> Iterator[Any]:
    yield from loop(context, Loop(stopped, wait))
