"""A source as an asset with a schedule of its own: a run lands a drop, and the landing sensor goes on from there."""

from typing import TYPE_CHECKING, Any

import dagster as dg

from lastmile.contracts.contract import Contract
from lastmile.errors import Unreachable, UserError
from lastmile.orchestration.resources import Platform
from lastmile.sources.declarations.source import Source

if TYPE_CHECKING:
    from psycopg import Connection

    from lastmile.sources.runs import Ran

GROUP = "sources"
_CHECKS = {
    "fresh": "Records came not longer ago than the source says.",
    "count_as_last_time": "About as many records came as the time before.",
}
#: What an API does not answer now it may in some minutes; that many requests were tried again before counts for little.
_RETRIES = dg.RetryPolicy(max_retries=2, delay=60, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)
#: Always the same: what a run lands is one drop, which makes no other partition of its dataset stale.
_VERSION = dg.DataVersion("lands drops")


def source_key(name: str) -> dg.AssetKey:
    return dg.AssetKey([GROUP, name])


def source_asset(source: Source, contract: Contract) -> dg.AssetsDefinition:
    key, after = source_key(source.name), source.stale_after if source.schedule and source.starts_running else None

    @dg.asset(
        key=key,
        description=source.description,
        group_name=GROUP,
        kinds={source.kind},
        owners=[source.owner],
        tags=dict(contract.tags),
        retry_policy=_RETRIES,
        pool=f"source_{source.name}",
        freshness_policy=dg.FreshnessPolicy.time_window(after) if after else None,
        check_specs=[dg.AssetCheckSpec(name, asset=key, description=text) for name, text in _CHECKS.items()],
        metadata={"dataset": contract.name, "incremental": source.is_incremental},
    )
    def fetched(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster knows the bare name only
        from lastmile.sources.running import run

        with platform.connect() as connection:
            try:
                ran = run(connection, platform.store(), source, contract, context.run.run_id, is_patient=True)
            except Unreachable:
                raise
            except UserError as error:  # the same would be refused again
                raise dg.Failure(str(error), allow_retries=False) from error
            for sentence in ran.events:
                context.log.warning(sentence)
            return dg.MaterializeResult(
                data_version=_VERSION, metadata=_metadata(ran), check_results=_verdicts(connection, source, ran)
            )

    return fetched


def source_schedule(source: Source) -> dg.ScheduleDefinition | None:
    """One that was missed needs no making up: the next fetch has all that came since."""
    if source.schedule is None:
        return None
    return dg.ScheduleDefinition(
        name=f"source_{source.name}",
        target=dg.AssetSelection.assets(source_key(source.name)),
        cron_schedule=source.schedule.cron,
        execution_timezone=source.schedule.time_zone,
        default_status=dg.DefaultScheduleStatus.RUNNING if source.starts_running else dg.DefaultScheduleStatus.STOPPED,
        description=f"Fetches {source.name} into {source.dataset}.",
    )


def _metadata(ran: "Ran") -> dict[str, Any]:
    return {
        "result": ran.state,
        "dagster/row_count": ran.records,
        "requests": ran.requests,
        "records that came again": ran.repeated,
        "bytes": ran.bytes,
        "events": dg.MetadataValue.md("\n".join(f"- {one}" for one in ran.events) or "none"),
        **({"drop": ran.key} if ran.key else {}),
        **({"cursor from": ran.cursor_from} if ran.cursor_from else {}),
        **({"cursor to": ran.cursor_to} if ran.cursor_to else {}),
    }


def _verdicts(connection: "Connection", source: Source, ran: "Ran") -> list[dg.AssetCheckResult]:
    from lastmile.sources.judging import stale, unusual_count
    from lastmile.sources.runs import landed_times

    newest, before = landed_times(connection, source.name)
    factor = source.usual_factor or (10 if source.is_incremental else 2)
    unusual = unusual_count(ran.records, before["records"] if before else None, factor)
    late = stale(newest["ended_at"] if newest else None, source.stale_after)
    return [_verdict("fresh", late), _verdict("count_as_last_time", unusual if ran.state == "landed" else [])]


def _verdict(name: str, faults: list[str]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name=name,
        passed=not faults,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(faults) or None,
    )
