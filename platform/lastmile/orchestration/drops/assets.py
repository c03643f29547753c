"""Raw, cleaned and quarantine, made from the contracts: three assets a dataset, partitioned as the contract says.

raw/<ds>_drops is the inventory of the partition's drops in the ledger. cleaned/<ds> and quarantine/<ds>_rows are made
in one pass, because a row is in one or the other. A run ingests what is pending in its partitions, so running it again
is a no-op; with the tag `lastmile/redo` set to `true` it ingests every drop of its partitions again.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from lastmile.contracts.contract import Contract
from lastmile.orchestration.backfills import DASK_TAG, REDO_TAG
from lastmile.orchestration.drops.checks import check_results, check_specs
from lastmile.orchestration.drops.empty import record_empty
from lastmile.orchestration.drops.freshness import freshness_policy
from lastmile.orchestration.drops.lateness import lateness_metadata
from lastmile.orchestration.drops.metadata import (
    arrival_metadata,
    column_schema,
    digest,
    inventory_metadata,
    quality_metadata,
    quarantine_metadata,
    trend_metadata,
)
from lastmile.orchestration.drops.paths import cleaned_path, quarantine_path, raw_path
from lastmile.orchestration.drops.schema_drift import renamed
from lastmile.orchestration.partitions import in_few_runs, partitions_of
from lastmile.orchestration.resources import Platform

if TYPE_CHECKING:
    from psycopg import Connection

    from lastmile.ledger import Drop, Outcome

#: Drops logged one by one in a run; the ledger has them all.
_MOST_LOGGED = 100


def raw_key(dataset: str) -> dg.AssetKey:
    return dg.AssetKey(raw_path(dataset))


def cleaned_key(dataset: str) -> dg.AssetKey:
    return dg.AssetKey(cleaned_path(dataset))


def quarantine_key(dataset: str) -> dg.AssetKey:
    return dg.AssetKey(quarantine_path(dataset))


def ingestion_step(dataset: str) -> tuple[str, str]:
    """The steps of a run that register the dataset's drops and ingest them."""
    return "__".join(raw_path(dataset)), f"ingest_{dataset}"


def datasets_of(selected: Iterable[dg.AssetKey]) -> set[str]:
    """The datasets that a run with this selection ingests."""
    return {key.path[-1] for key in selected if key == cleaned_key(key.path[-1])}


def raw_asset(contract: Contract, upstream: Sequence[dg.AssetKey] = ()) -> dg.AssetsDefinition:
    """`upstream` are the sources that drops of the dataset come from."""

    @dg.asset(
        key=raw_key(contract.name),
        deps=upstream,
        description=f"Drops received for `{contract.name}`, as the ledger has them; the bytes stay where they are.",
        partitions_def=partitions_of(contract.partition),
        backfill_policy=in_few_runs(),
        group_name="raw",
        owners=[contract.owner],
        kinds={"file"},
        tags=dict(contract.tags),
        code_version=contract.version,
    )
    def raw(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult[None]:
        from lastmile.ingestion.discovery.listing import discover
        from lastmile.ledger import inventory
        from lastmile.ledger.state import lateness
        from lastmile.store.landing import LANDING

        store = platform.store()
        with platform.connect() as connection:
            discover(connection, store, platform.contracts(), f"{LANDING}{contract.name}/")
            drops = inventory(connection, store.url, contract.name, context.partition_keys)
            late = lateness(connection, store.url, contract.name)
        for partition in context.partition_keys:
            here = [drop for drop in drops if drop["partition"] == partition]
            shown = arrival_metadata(here, cleaned_key(contract.name)) | lateness_metadata(late, partition)
            context.add_asset_metadata(shown, raw_key(contract.name), partition)
        return dg.MaterializeResult(data_version=dg.DataVersion(digest(f"{d['key']}@{d['version']}" for d in drops)))

    return raw


def cleaned_assets(contract: Contract) -> dg.AssetsDefinition:
    cleaned, quarantine = cleaned_key(contract.name), quarantine_key(contract.name)
    shared: dict[str, Any] = {
        "owners": [contract.owner],
        "tags": dict(contract.tags),
        "deps": [raw_key(contract.name)],
        "code_version": contract.version,
    }

    @dg.multi_asset(
        name=f"ingest_{contract.name}",
        specs=[
            dg.AssetSpec(
                cleaned,
                description=contract.description,
                group_name="cleaned",
                freshness_policy=freshness_policy(contract),
                kinds={"postgres", "parquet"},
                metadata={
                    "dagster/column_schema": column_schema(contract),
                    "dagster/table_name": f"raw.{contract.name}",
                },
                **shared,
            ),
            dg.AssetSpec(
                quarantine,
                description=f"Rows of `{contract.name}` that broke its contract: line, raw text, every rule broken.",
                group_name="quarantine",
                kinds={"postgres"},
                metadata={"dagster/table_name": "quarantine.rows"},
                **shared,
            ),
        ],
        check_specs=check_specs(cleaned, quarantine),
        partitions_def=partitions_of(contract.partition),
        backfill_policy=in_few_runs(),
        retry_policy=dg.RetryPolicy(max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL),
    )
    def ingest(
        context: dg.AssetExecutionContext, platform: Platform
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        from lastmile.ledger import inventory

        store, partitions = platform.store(), context.partition_keys
        with platform.connect() as connection:
            ingested = _ingested(context, platform, connection, contract)
            context.log.info(f"{contract.name}: {len(ingested)} drops ingested")
            report_other_partitions(context, contract, ingested)
            drops = inventory(connection, store.url, contract.name, partitions)
            # Before what the run makes, so that what follows from both is requested in one run.
            ingested_now = datasets_of(context.run.asset_selection or [cleaned_key(contract.name)])
            for other in platform.contracts().values() if contract.name == min(ingested_now) else ():
                keys = (raw_key(other.name), cleaned_key(other.name), quarantine_key(other.name))
                made_now = partitions if other.name in ingested_now else ()
                record_empty(context.instance, connection, store.url, other, keys, made_now)
            yield from _results(context, connection, store.url, contract, drops)
            yield from check_results(connection, store.url, contract, cleaned, quarantine)

    return ingest


def _ingested(
    context: dg.AssetExecutionContext, platform: Platform, connection: "Connection", contract: Contract
) -> "list[Outcome]":
    """The outcomes of the run's drops, ingested here or on the Dask cluster that the run's tag or the settings name."""
    from lastmile.ingestion.dask_cluster import WorkerContext, ingest_on_dask
    from lastmile.ingestion.parallel import ingest_in_parallel
    from lastmile.ledger import now

    settings, tags = platform.settings(), context.run.tags
    scheduler = tags.get(DASK_TAG) or settings.dask_scheduler
    redo = tags.get(REDO_TAG) == "true"
    of_run = (context.partition_keys, context.run.run_id)
    if scheduler is None:
        return ingest_in_parallel(platform.connect, platform.store(), contract, *of_run, redo, _logger(context))
    worker = WorkerContext(settings, contract.name, contract.version, platform.s3_options())
    return ingest_on_dask(scheduler, worker, *of_run, now(connection) if redo else None, _logger(context))


def report_other_partitions(
    context: dg.AssetExecutionContext, contract: Contract, ingested: "Sequence[Outcome]"
) -> None:
    """Where rows have partitions of their own: report those changed that are not the run's, for what is downstream."""
    changed = {key for outcome in ingested for key in (outcome.format or {}).get("partitions", ())}
    for partition in sorted(changed - set(context.partition_keys)):
        event = dg.AssetMaterialization(
            cleaned_key(contract.name), partition=partition, description="Rows of drops that landed elsewhere."
        )
        context.instance.report_runless_asset_event(event)


def _results(
    context: dg.AssetExecutionContext,
    connection: "Connection",
    store: str,
    contract: Contract,
    drops: Sequence[Mapping[str, Any]],
) -> Iterator[dg.MaterializeResult[None]]:
    from lastmile.quarantine import query
    from lastmile.quarantine.trend import shares

    cleaned, quarantine = cleaned_key(contract.name), quarantine_key(contract.name)
    for partition in context.partition_keys:
        here = [drop for drop in drops if drop["partition"] == partition]
        context.add_asset_metadata(inventory_metadata(here) | quality_metadata(here), cleaned, partition)
        place = (connection, store, contract.name, partition)
        broken = query.overview(connection, query.Selection(contract.name, partition, store=store))
        counts = quarantine_metadata(here, broken, query.discarded_rows(*place))
        trend = trend_metadata(f"Share of bad rows, {contract.name} {partition}", shares(*place))
        context.add_asset_metadata(counts | trend, quarantine, partition)
    version = dg.DataVersion(digest(f"{drop['id']} {drop['sha256']} {drop['cleaned_key']}" for drop in drops))
    yield dg.MaterializeResult(asset_key=cleaned, data_version=version)
    yield dg.MaterializeResult(asset_key=quarantine, data_version=version)


def _logger(context: dg.AssetExecutionContext) -> "Callable[[Drop, Outcome], None]":
    """Logs each of the first drops, then those not simply loaded: every line is a row in Dagster's storage."""
    numbers = itertools.count(1)

    def report(drop: "Drop", outcome: "Outcome") -> None:
        number = next(numbers)
        counts = ", ".join(
            f"{name} {getattr(outcome, name)}" for name in ("read", "loaded", "quarantined", "duplicate")
        )
        if number <= _MOST_LOGGED or outcome.state != "loaded":
            names = renamed(outcome.schema_change or {})
            said = "; ".join(filter(None, (outcome.message, names)))
            context.log.info(f"{drop.key}: {outcome.state} ({counts}) {said}")
        elif number % _MOST_LOGGED == 0:
            context.log.info(f"{number} drops so far")

    return report
