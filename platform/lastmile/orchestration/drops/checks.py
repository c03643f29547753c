"""What is checked about every dataset each time drops are ingested, made from its contract.

The gate is in the data: a drop over its threshold loads no rows. So these checks report and stop nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from lastmile.contracts.contract import Contract
from lastmile.orchestration.drops.freshness import stale
from lastmile.orchestration.drops.schema_drift import header_changes, undeclared

if TYPE_CHECKING:
    from psycopg import Connection

_CLEANED = {
    "rows_add_up": "Per drop: rows read = loaded + quarantined + duplicate, and exactly the loaded rows are visible.",
    "every_drop_settled": "No drop of these partitions is still waiting, failed or missing.",
    "fresh": "The newest drop of the dataset is no older than its contract expects.",
    "header_as_declared": "No drop brought columns that the contract does not know; other differences are reported.",
}
_QUARANTINE = {
    "drops_within_threshold": "No drop was quarantined whole because too many of its rows were bad, or unreadable.",
    "bad_share_as_usual": "The newest drop's share of bad rows is not far above what is usual for the dataset.",
}

#: Faults listed in a check's metadata, however many there are.
_MOST_LISTED = 50


def check_specs(cleaned: dg.AssetKey, quarantine: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    return [dg.AssetCheckSpec(name, asset=cleaned, description=text) for name, text in _CLEANED.items()] + [
        dg.AssetCheckSpec(name, asset=quarantine, description=text) for name, text in _QUARANTINE.items()
    ]


def check_results(
    connection: "Connection",
    store: str,
    contract: Contract,
    partitions: Sequence[str],
    drops: Sequence[Mapping[str, Any]],
    cleaned: dg.AssetKey,
    quarantine: dg.AssetKey,
) -> Iterator[dg.AssetCheckResult]:
    from lastmile.ledger.query import newest_drop
    from lastmile.operations.audit import violations
    from lastmile.quarantine.trend import anomaly, shares

    yield _result(cleaned, "rows_add_up", violations(connection, contract.name, partitions))
    yield _result(cleaned, "every_drop_settled", _unsettled(drops))
    late = stale(contract, newest_drop(connection, store, contract.name))
    yield _result(cleaned, "fresh", late, dg.AssetCheckSeverity.WARN)
    yield _header_result(cleaned, contract, drops)
    yield _result(quarantine, "drops_within_threshold", _quarantined_whole(drops), dg.AssetCheckSeverity.WARN)
    unusual = anomaly(shares(connection, store, contract.name))
    yield _result(quarantine, "bad_share_as_usual", [unusual] if unusual else [], dg.AssetCheckSeverity.WARN)


def _result(
    asset: dg.AssetKey, name: str, faults: list[str], severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR
) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=name,
        passed=not faults,
        severity=severity,
        description="; ".join(faults[:5]) or None,
        metadata={"faults": dg.MetadataValue.md(_listed(faults))} if faults else {},
    )


def _listed(faults: Sequence[str]) -> str:
    more = [f"and {len(faults) - _MOST_LISTED} more"] if len(faults) > _MOST_LISTED else []
    return "\n".join(f"- {fault}" for fault in [*faults[:_MOST_LISTED], *more])


def _unsettled(drops: Sequence[Mapping[str, Any]]) -> list[str]:
    waiting = [drop["key"] for drop in drops if drop["state"] in ("discovered", "claimed")]
    unsettled = [f"{len(waiting)} drops wait for the next run, such as {waiting[0]}"] if waiting else []
    return unsettled + [
        f"{drop['key']}: {drop['state']} {drop['message'] or ''}".strip()
        for drop in drops
        if drop["state"] in ("failed", "missing") and drop["discarded_at"] is None
    ]


def _header_result(asset: dg.AssetKey, contract: Contract, drops: Sequence[Mapping[str, Any]]) -> dg.AssetCheckResult:
    """Undeclared columns are a warning; what else differs in the headers is in its metadata."""
    found = _result(asset, "header_as_declared", undeclared(contract, drops), dg.AssetCheckSeverity.WARN)
    changes = header_changes(drops)
    return found._replace(metadata={**found.metadata, "headers": dg.MetadataValue.md(changes)}) if changes else found


def _quarantined_whole(drops: Sequence[Mapping[str, Any]]) -> list[str]:
    return [
        f"{drop['key']}: {drop['message']}"
        for drop in drops
        if drop["state"] == "quarantined" and drop["discarded_at"] is None
    ]
