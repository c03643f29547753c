"""A stream as an asset that is made outside of Dagster, and its windows as assets by day, which a backfill replays."""

from collections.abc import Mapping

import dagster as dg

from lastmile.contracts.contract import Contract
from lastmile.contracts.lookup import contract_of
from lastmile.orchestration.learning.shared import RETRIES
from lastmile.orchestration.pools import WAREHOUSE
from lastmile.orchestration.resources import Platform
from lastmile.streaming.declarations.stream import Stream
from lastmile.streaming.verdicts import FRESHNESS, LAG, verdicts

GROUP = "streams"


def stream_key(name: str) -> dg.AssetKey:
    return dg.AssetKey(["streams", name])


def window_key(name: str) -> dg.AssetKey:
    return dg.AssetKey(["windows", name])


def stream_assets(stream: Stream, contracts: Mapping[str, Contract]) -> list[dg.AssetsDefinition]:
    """The stream, its checks, its windows, and its joins."""
    contract = contract_of(stream.contract, contracts)
    spec = dg.AssetSpec(
        stream_key(stream.name),
        description=stream.description,
        group_name=GROUP,
        kinds={"kafka"},
        owners=[stream.owner],
        metadata={"topic": stream.topic, "dataset": stream.contract, "late events": stream.late},
    )
    made = [dg.AssetsDefinition(specs=[spec]), _check(stream, contract, LAG), _check(stream, contract, FRESHNESS)]
    if stream.joins:
        made.append(dg.AssetsDefinition(specs=[_join_spec(stream, join.name, join.stream) for join in stream.joins]))
    if stream.windows and stream.lands:
        made.append(_windows(stream, contract))
    elif stream.windows:
        made.append(dg.AssetsDefinition(specs=_window_specs(stream, contract)))
    return made


def days_of(contract: Contract) -> dg.DailyPartitionsDefinition:
    return dg.DailyPartitionsDefinition(contract.partition.start.isoformat(), end_offset=1)


def _windows(stream: Stream, contract: Contract) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name=f"replay_{stream.name}",
        specs=_window_specs(stream, contract),
        partitions_def=days_of(contract),
        backfill_policy=dg.BackfillPolicy.single_run(),
        can_subset=True,
        retry_policy=RETRIES,
        pool=WAREHOUSE,
    )
    def replayed(context: dg.AssetExecutionContext, platform: Platform) -> None:
        from lastmile.streaming.replay.days import day
        from lastmile.streaming.replay.replay import replay
        from lastmile.streaming.start import declared
        from lastmile.warehouse.connections import database_url

        settings, keys = platform.settings(), context.partition_key_range
        one, its_contract = declared(settings, stream.name)
        chosen = [key.path[-1] for key in context.selected_asset_keys]
        url, store = database_url(settings), platform.store()
        for made in replay(url, store, one, its_contract, day(keys.start), day(keys.end), chosen):
            metadata = {
                "events": made.events,
                "rows before": made.rows_before,
                "rows after": made.rows_after,
                "rows changed": made.rows_changed,
            }
            context.add_asset_metadata(metadata, asset_key=window_key(made.window), partition_key=keys.end)

    return replayed


def _window_specs(stream: Stream, contract: Contract) -> list[dg.AssetSpec]:
    return [
        dg.AssetSpec(
            window_key(window.name),
            deps=[stream_key(stream.name)],
            description=window.description or f"{type(window).__name__} window of stream {stream.name}.",
            group_name=GROUP,
            kinds={"postgres"},
            owners=[stream.owner],
            metadata={"dagster/table_name": f"windows.{window.name}"},
            partitions_def=days_of(contract),
        )
        for window in stream.windows
    ]


def _join_spec(stream: Stream, name: str, other: str) -> dg.AssetSpec:
    return dg.AssetSpec(
        window_key(name),
        deps=[stream_key(stream.name), stream_key(other)],
        description=f"Events of streams {stream.name} and {other}.",
        group_name=GROUP,
        kinds={"postgres"},
        owners=[stream.owner],
        metadata={"dagster/table_name": f"windows.{name}"},
    )


def _check(stream: Stream, contract: Contract, name: str) -> dg.AssetChecksDefinition:
    described = {LAG: "Messages are read soon after they come.", FRESHNESS: "Events come as often as expected."}

    @dg.asset_check(asset=stream_key(stream.name), name=name, description=described[name])
    def check(platform: Platform) -> dg.AssetCheckResult:
        from lastmile.streaming.status import statuses

        with platform.connect() as connection:
            found = next(iter(statuses(connection, stream.name)), None)
        verdict = next(one for one in verdicts(found, stream.name, contract.arrival.expected_every) if one.name == name)
        return dg.AssetCheckResult(passed=verdict.passed, severity=dg.AssetCheckSeverity.WARN, description=verdict.said)

    return check
