"""Once a day, what only describes the past and is older than it is kept goes: see `operations/retention`."""

import dagster as dg

from lastmile.orchestration.resources import Platform


@dg.op(description="Removes what has been loaded for longer than its contract keeps it, and cleaned files of no drop.")
def clean_landing(context: dg.OpExecutionContext, platform: Platform) -> None:
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


@dg.op(description="Removes old runs, events, ticks and logs; of each asset and partition the newest stay.")
def clean_history(context: dg.OpExecutionContext, platform: Platform) -> None:
    from lastmile.operations.retention import history, logs
    from lastmile.settings.group import load
    from lastmile.settings.retention import RetentionSettings

    keep = load(RetentionSettings)
    with platform.connect() as connection:
        for what, rows in {**history.clean(connection, keep), **logs.clean(connection, keep)}.items():
            context.log.info(f"{what}: removed {rows} rows")


@dg.op(description="Removes what steps printed, long logs, old editions of reports, files of unused model versions.")
def clean_files(context: dg.OpExecutionContext, platform: Platform) -> None:
    from lastmile.operations.retention import files
    from lastmile.settings.group import load
    from lastmile.settings.retention import RetentionSettings

    with platform.connect() as connection:
        found = files.clean(connection, platform.settings(), platform.store(), load(RetentionSettings))
    for what, tally in found.items():
        context.log.info(f"{what}: removed {tally.objects} ({tally.bytes} bytes)")


@dg.job(description="Cleans up: the landing area, where contracts say how long objects are kept, history and files.")
def clean_up() -> None:
    clean_landing()
    clean_history()
    clean_files()


nightly_clean_up = dg.ScheduleDefinition(
    name="nightly_clean_up",
    job=clean_up,
    cron_schedule="17 2 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every night; what one night missed, the next removes.",
)
