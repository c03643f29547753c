"""What is checked about every dataset each time drops are ingested, made from its contract.

The gate is in the data: a drop over its threshold loads no rows. So these checks report and stop nothing. Dagster shows
the last verdict of a check, whichever partitions its run was about: so each is about all partitions, by the ledger, and
a warning stays until what it is about is mended or decided.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from lastmile.contracts.contract import Contract
from lastmile.orchestration.drops.freshness import stale
from lastmile.orchestration.drops.schema_drift import NAMED, described, undeclared

if TYPE_CHECKING:
    from psycopg import Connection

_CLEANED = {
    "rows_add_up": "Per drop: rows read = loaded + quarantined + duplicate, and exactly the loaded rows are visible.",
    "every_drop_settled": "No drop of the dataset is still waiting, failed or missing.",
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
    connection: "Connection", store: str, contract: Contract, cleaned: dg.AssetKey, quarantine: dg.AssetKey
) -> Iterator[dg.AssetCheckResult]:
    """The verdicts on the dataset, over all its partitions. Its table must exist."""
    from lastmile.operations.audit import violations

    yield _result(cleaned, "rows_add_up", violations(connection, contract.name))
    yield from ledger_results(connection, store, contract, cleaned, quarantine)


def ledger_results(
    connection: "Connection", store: str, contract: Contract, cleaned: dg.AssetKey, quarantine: dg.AssetKey
) -> Iterator[dg.AssetCheckResult]:
    """Those verdicts that need a look at the ledger only, which costs milliseconds."""
    from lastmile.ledger.query import newest_drop
    from lastmile.ledger.state import waiting
    from lastmile.quarantine.query import Selection, drops
    from lastmile.quarantine.trend import anomaly, shares

    undecided = drops(connection, Selection(contract.name, store=store), None)
    yield _settled_result(cleaned, waiting(connection, store, contract.name), undecided)
    late = stale(contract, newest_drop(connection, store, contract.name))
    yield _result(cleaned, "fresh", late, dg.AssetCheckSeverity.WARN)
    yield _header_result(connection, store, contract, cleaned)
    whole = [f"{drop['key']}: {drop['message']}" for drop in undecided if drop["state"] == "quarantined"]
    yield _result(quarantine, "drops_within_threshold", whole, dg.AssetCheckSeverity.WARN)
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


def _settled_result(
    asset: dg.AssetKey, waiting: tuple[int, str | None], undecided: Sequence[Mapping[str, Any]]
) -> dg.AssetCheckResult:
    """Drops that wait are a warning: the next run ingests them. Those that failed or are missing are an error."""
    count, first = waiting
    wait = [f"{count:,} drop{'s wait' if count > 1 else ' waits'} for the next run, such as {first}"] if count else []
    failed = [
        f"{drop['key']}: {drop['state']} {drop['message'] or ''}".strip()
        for drop in undecided
        if drop["state"] in ("failed", "missing")
    ]
    severity = dg.AssetCheckSeverity.ERROR if failed else dg.AssetCheckSeverity.WARN
    return _result(asset, "every_drop_settled", wait + failed, severity)


def _header_result(connection: "Connection", store: str, contract: Contract, asset: dg.AssetKey) -> dg.AssetCheckResult:
    """Undeclared columns are a warning; what else differs in the headers is in its metadata."""
    from lastmile.ledger.query import header_changes

    changes = header_changes(connection, store, contract.name, NAMED)
    found = _result(asset, "header_as_declared", undeclared(contract, changes), dg.AssetCheckSeverity.WARN)
    text = described(changes)
    return found._replace(metadata={**found.metadata, "headers": dg.MetadataValue.md(text)}) if text else found
