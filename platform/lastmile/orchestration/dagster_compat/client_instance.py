"""A Dagster instance for tools that work next to a running platform, named in the dagster.yaml of `lastmile env`.

It has the platform's storage, so `dagster dev` shows its runs and launches new ones. But two daemons on one storage
would both start each queued run, and each request what the sensors find; Dagster forbids that, but only logs an error.
So the daemon of such a tool starts nothing. It must do something: it checks for runs whose worker is gone, which any
number of processes may do, and leaves the heartbeats to the platform's daemon.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from dagster import DagsterInstance
from dagster._core.instance.ref import InstanceRef
from dagster._daemon.daemon import MonitoringDaemon


class ClientInstance(DagsterInstance):
    @classmethod
    def config_schema(cls) -> Mapping[str, Any]:
        """No settings of its own."""
        return {}

    @classmethod
    def config_defaults(cls, base_dir: str) -> Mapping[str, Any]:
        return InstanceRef.config_defaults(base_dir)

    def get_required_daemon_types(self) -> Sequence[str]:
        return [MonitoringDaemon.daemon_type()]

    @property
    def daemon_skip_heartbeats_without_errors(self) -> bool:
        return True
