"""Once a day, objects that have been loaded for as long as their contract keeps them leave the landing area."""

import dagster as dg

from lastmile.orchestration.resources import Platform


@dg.op(description="Removes what has been loaded for longer than its contract keeps it, and cleaned files of no drop.")
def clean_up(context: dg.OpExecutionContext, platform: Platform) -> None:
    from lastmile.operations.retention.objects import clean, sweep

    store = platform.store()
    with platform.connect() as connection:
        for name, contract in platform.contracts().items():
            if contract.arrival.retention is None:
                continue
            gone, swept = clean(connection, store, name, contract.arrival.retention), sweep(connection, store, name)
            kept = ", ".join(f"{count} {why}" for why, count in gone.kept.most_common()) or "none"
            context.log.info(
                f"{name}: removed {gone.objects} objects ({gone.bytes} bytes) and {swept.objects} cleaned files of no"
                f" drop ({swept.bytes} bytes); kept: {kept}"
            )


@dg.job(description="Cleans up the landing area, where contracts say how long objects are kept.")
def clean_landing() -> None:
    clean_up()


@dg.schedule(
    job=clean_landing,
    cron_schedule="17 2 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every night, if any contract declares a retention.",
)
def nightly_clean_up(platform: Platform) -> dg.RunRequest | dg.SkipReason:
    if all(contract.arrival.retention is None for contract in platform.contracts().values()):
        return dg.SkipReason("no contract declares a retention, so every object is kept")
    return dg.RunRequest()
