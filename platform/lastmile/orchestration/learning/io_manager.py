"""pandas frames in and out of assets by partition: Parquet in the store, and a table in Postgres.

An asset [kind, name] whose metadata has `partition_expr`, the column with a day of the row's partition, returns a frame
with the rows of all partitions of its run; each partition is replaced by itself. What depends on it, a notebook
included, gets a frame: of the requested partitions, or of all there are.

    defs.load_asset_value(["features", "household_vulnerability"], partition_key="2019")
"""

from collections.abc import Callable
from datetime import date
from typing import Any

import dagster as dg
import pandas as pd
from psycopg import Connection

from lastmile.learning.frames import PartitionedFrame
from lastmile.learning.relations import Window
from lastmile.orchestration.learning.online import fill_redis, online_table, replace_online
from lastmile.orchestration.resources import Platform


class FrameIOManager(dg.ConfigurableIOManager):
    """Keeps frames; see the module."""

    platform: dg.ResourceDependency[Platform]

    def handle_output(self, context: dg.OutputContext, obj: pd.DataFrame) -> None:
        frame = _frame(context)
        days = pd.to_datetime(obj[frame.partition_column])
        store = self.platform.store()
        with self.platform.connect() as connection:
            for partition, window in _windows(context):
                start, end = map(pd.Timestamp, window)
                rows = obj[(days >= start) & (days < end)]
                also = self._also(context, partition, window, rows)
                frame.replace(connection, store, partition, window, rows, also)
            self._afterwards(context, connection)
        context.log.info(f"{len(obj)} rows in {frame.kind}.{frame.name}")

    def load_input(self, context: dg.InputContext) -> pd.DataFrame:
        partitions = context.asset_partition_keys if context.has_asset_partitions else None
        upstream = context.upstream_output
        if upstream is None:
            raise dg.DagsterInvariantViolationError(f"{context.asset_key.to_user_string()} is made by no asset")
        return _frame(upstream).read(self.platform.store(), partitions)

    def _also(
        self,
        context: dg.OutputContext,  # noqa: ARG002
        partition: str,  # noqa: ARG002
        window: Window,  # noqa: ARG002
        rows: pd.DataFrame,  # noqa: ARG002
    ) -> Callable[[Connection], None]:
        """What is written in the transaction that replaces a partition."""
        return lambda _: None

    def _afterwards(self, context: dg.OutputContext, connection: Connection) -> None:
        """What is done once, when all partitions of the run are replaced."""


class FeatureIOManager(FrameIOManager):
    """The same, the registry counts rows that came or changed (`targets` in the frame's `attrs`), and the newest rows
    are kept online."""

    def _also(
        self, context: dg.OutputContext, partition: str, window: Window, rows: pd.DataFrame
    ) -> Callable[[Connection], None]:
        from lastmile.learning.features.changes import counting

        frame, table = _frame(context), online_table(context.asset_key, _metadata(context))
        before = frame.of(self.platform.store(), partition)
        count = counting(frame.name, window, before, rows, rows.attrs["targets"])

        def also(connection: Connection) -> None:
            count(connection)
            if table:
                replace_online(self.platform, connection, table, window)

        return also

    def _afterwards(self, context: dg.OutputContext, connection: Connection) -> None:
        if table := online_table(context.asset_key, _metadata(context)):
            fill_redis(self.platform, connection, table)


class PredictionIOManager(FrameIOManager):
    """The same, and the registry knows which version predicted the partition: `model` and `version` in the output's
    metadata, the column of levels in `target`."""

    def _also(
        self,
        context: dg.OutputContext,
        partition: str,  # noqa: ARG002
        window: Window,
        rows: pd.DataFrame,
    ) -> Callable[[Connection], None]:
        from lastmile.learning.predictions.prediction import counted, record

        made_by = rows.attrs["model"], rows.attrs["version"]
        counts = counted(rows, rows.attrs["target"])
        name, run_id = context.asset_key.path[-1], context.run_id
        return lambda connection: record(connection, name, window, made_by, counts, run_id)


def _frame(context: dg.OutputContext) -> PartitionedFrame:
    kind, name = context.asset_key.path
    return PartitionedFrame(kind, name, _metadata(context)["partition_expr"])


def _metadata(context: dg.OutputContext) -> dict[str, Any]:
    return dict(context.definition_metadata or {})


def _windows(context: dg.OutputContext) -> list[tuple[str, Window]]:
    """The run's partitions with the first day of each and of the next."""
    partitions = context.asset_partitions_def
    if not isinstance(partitions, dg.TimeWindowPartitionsDefinition):
        raise dg.DagsterInvariantViolationError(f"{context.asset_key.to_user_string()} has no partitions in time")
    windows = {key: partitions.time_window_for_partition_key(key) for key in context.asset_partition_keys}
    return [(key, (_day(window.start), _day(window.end))) for key, window in windows.items()]


def _day(moment: "date") -> date:
    return date(moment.year, moment.month, moment.day)
