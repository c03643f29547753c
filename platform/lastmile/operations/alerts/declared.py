"""From what datasets, models, streams, sources and the installation declare to rules."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from lastmile.contracts.alerts import Alert, Severity
from lastmile.operations.alerts.kinds import DATASET, MODEL, SOURCE, STREAM
from lastmile.operations.alerts.rule import PLATFORM, Rule
from lastmile.settings.alerts import PlatformLimits

if TYPE_CHECKING:
    from lastmile.contracts.contract import Contract
    from lastmile.learning.declarations.model import Model
    from lastmile.sources.declarations.source import Source
    from lastmile.streaming.declarations.stream import Stream


def declared_rules(
    contracts: "Iterable[Contract]",
    models: "Iterable[Model]",
    streams: "Iterable[Stream]" = (),
    sources: "Iterable[Source]" = (),
) -> list[Rule]:
    """The rules of all of them."""
    return [
        *(rule for one in contracts for rule in of_dataset(one)),
        *(rule for one in models for rule in of_model(one)),
        *(rule for one in streams for rule in of_stream(one)),
        *(rule for one in sources for rule in of_source(one)),
    ]


def of_dataset(contract: "Contract") -> Iterator[Rule]:
    """Freshness and lateness go by what is expected, where they say nothing themselves; without both, there is none."""
    expected = contract.arrival.expected_every
    implied = {name: expected.total_seconds() if expected else None for name in ("freshness", "lateness")}
    for kind in DATASET:
        if rule := _rule(getattr(contract.alerts, kind.name), kind.name, contract, implied.get(kind.name)):
            yield rule


def of_model(model: "Model") -> Iterator[Rule]:
    for kind in MODEL:
        implied = model.floor.value if kind.name == "floor" else None
        if rule := _rule(getattr(model.alerts, kind.name), kind.name, model, implied):
            yield rule


def of_stream(stream: "Stream") -> Iterator[Rule]:
    for kind in STREAM:
        if rule := _rule(getattr(stream.alerts, kind.name), kind.name, stream):
            yield rule


def of_source(source: "Source") -> Iterator[Rule]:
    """One that nothing fetches by itself is overdue only where it says when."""
    is_fetched = source.schedule is not None and source.starts_running
    after = source.stale_after if is_fetched else None
    for kind in SOURCE:
        implied = after.total_seconds() if after and kind.name == "source_overdue" else None
        if rule := _rule(getattr(source.alerts, kind.name), kind.name, source, implied):
            yield rule


def _rule(
    alert: Alert | None, name: str, subject: "Contract | Model | Stream | Source", implied: float | None = None
) -> Rule | None:
    if alert is None:
        return None
    threshold = implied if alert.value is None else alert.value
    if threshold is None:
        return None
    return Rule(name, subject.name, subject.owner, threshold, alert.severity, alert.lasting.total_seconds())


def of_platform(limits: PlatformLimits, owner: str) -> list[Rule]:
    """Those of the installation itself: its owner is a setting, since no file of it declares one."""

    def rule(name: str, threshold: float, severity: Severity = "critical", lasting: float = 60.0) -> Rule:
        return Rule(name, PLATFORM, owner, threshold, severity, lasting)

    dead = limits.dead_seconds
    return [
        rule("run_failures", limits.run_failures, "warning", 0),
        rule("ticks_failing", limits.tick_failures, "warning", 0),
        rule("backlog", limits.backlog, "warning"),
        rule("lag", limits.lag_minutes * 60, "warning"),
        rule("disk", limits.disk_free),
        rule("daemon_dead", limits.daemon_seconds, lasting=dead),
        rule("code_server_dead", 1, lasting=dead),
        rule("api_dead", 1, lasting=dead),
        rule("web_ui_dead", 1, "warning", dead),
        rule("database_dead", 1, lasting=dead),
        rule("store_unreachable", 1, lasting=dead),
        rule("backup_too_old", limits.backup_hours * 3_600, "warning"),
        rule("log_not_archived", limits.log_minutes * 60),
        rule("drill_failed", 1, lasting=0),
        rule("undelivered", limits.undelivered_minutes * 60, "warning", 0),
    ]
