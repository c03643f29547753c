"""A contract's partitions as Dagster knows them; the keys are those of `Partition`, so both sides agree."""

import dagster as dg

from lastmile.contracts.partition import FORMATS, Partition

#: Of a run of a backfill: a quarter of days. A run costs as much as 30,000 rows before it makes one, and one that fails
#: has to be made again whole.
MOST_PARTITIONS = 92

_FIRST_MOMENTS = {"year": "0 0 1 1 *", "month": "0 0 1 * *", "day": "0 0 * * *"}


def partitions_of(partition: Partition) -> dg.TimeWindowPartitionsDefinition:
    """Partitions from the contract's start up to and with the current year, month or day, which is not over yet."""
    return dg.TimeWindowPartitionsDefinition(
        start=partition.start_key(),
        fmt=FORMATS[partition.unit],
        cron_schedule=_FIRST_MOMENTS[partition.unit],
        end_offset=1,
    )


def overlapping() -> dg.TimeWindowPartitionMapping:
    """A partition is made from those upstream that overlap it, of whatever unit; from none where upstream begins later.

    Dagster's own default refuses to make a partition from before the start of anything upstream.
    """
    return dg.TimeWindowPartitionMapping(allow_nonexistent_upstream_partitions=True)


def in_few_runs() -> dg.BackfillPolicy:
    """Ranges of partitions in one run each, up to `MOST_PARTITIONS`; assets that may share a run must say the same."""
    return dg.BackfillPolicy.multi_run(MOST_PARTITIONS)
