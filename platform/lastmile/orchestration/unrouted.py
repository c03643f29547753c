"""The asset `unrouted`: files in the landing area that fit no contract, in one place, with a check that warns."""

from typing import TYPE_CHECKING

import dagster as dg

from lastmile.orchestration.resources import Platform

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from psycopg import Connection

    from lastmile.contracts.contract import Contract
    from lastmile.ledger.unrouted import Unrouted

UNROUTED = dg.AssetKey(["unrouted"])
_CHECK = "everything_is_routed"
_MOST_LISTED = 100


def unrouted_definitions() -> dg.Definitions:
    """The asset and its check, which can be run by hand; the landing sensor reports it whenever it changes."""
    text = (
        "Files in the landing area that fit no contract. `lastmile unrouted list` shows them with the reason,"
        " `lastmile unrouted move` puts them where a contract expects them."
    )

    @dg.asset_check(asset=UNROUTED, name=_CHECK, description="Every file in the landing area fits a contract.")
    def everything_is_routed(platform: Platform) -> dg.AssetCheckResult:
        with platform.connect() as connection:
            found = verdict(_found(connection, platform.store().url), platform.contracts())
        return dg.AssetCheckResult(
            passed=found.passed, severity=found.severity, description=found.description, metadata=found.metadata
        )

    return dg.Definitions(
        assets=[dg.AssetSpec(UNROUTED, description=text, group_name="raw", kinds={"file"})],
        asset_checks=[everything_is_routed],
    )


def verdict(found: "Sequence[Unrouted]", contracts: "Mapping[str, Contract]") -> dg.AssetCheckEvaluation:
    """A warning while there are any, with their keys, the reasons and the datasets most like them."""
    from lastmile.ingestion.discovery.unrouted import nearest

    rows = [
        dg.TableRecord({"file": one.key, "why": one.message, "perhaps": nearest(one, contracts) or ""})
        for one in found[:_MOST_LISTED]
    ]
    return dg.AssetCheckEvaluation(
        asset_key=UNROUTED,
        check_name=_CHECK,
        passed=not found,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{len(found):,} fit no contract, such as {found[0].key}: {found[0].message}" if found else None,
        metadata={"files": dg.MetadataValue.table(rows)} if rows else {},
    )


class UnroutedReport:
    """Reports the verdict to Dagster when what is unrouted has changed since this process last did."""

    def __init__(self) -> None:
        self._reported: list[tuple[str, str]] | None = None

    def update(
        self, instance: dg.DagsterInstance, connection: "Connection", store: str, contracts: "Mapping[str, Contract]"
    ) -> None:
        found = _found(connection, store)
        seen = [(one.key, one.message) for one in found]
        if seen != self._reported:
            instance.report_runless_asset_event(verdict(found, contracts))
            self._reported = seen


def _found(connection: "Connection", store: str) -> "list[Unrouted]":
    from lastmile.ledger.unrouted import unrouted

    return unrouted(connection, store)
