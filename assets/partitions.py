"""A contract's partitions as Dagster knows them; the keys are those of `Partition`, so both sides agree."""

import dagster as dg

from lastmile.partition import FORMATS, Partition

_FIRST_MOMENTS = {"year": "0 0 1 1 *", "month": "0 0 1 * *", "day": "0 0 * * *"}


def partitions_of(partition: Partition) -> dg.TimeWindowPartitionsDefinition:
    """Partitions from the contract's start up to and with the current year, month or day, which is not over yet."""
    return dg.TimeWindowPartitionsDefinition(
        start=partition.start_key(),
        fmt=FORMATS[partition.unit],
        cron_schedule=_FIRST_MOMENTS[partition.unit],
        end_offset=1,
    )
