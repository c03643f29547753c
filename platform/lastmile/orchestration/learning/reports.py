"""Reports as assets: pages that need nothing but a browser, kept in the store."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg

from lastmile.learning.declarations.loading import Declared
from lastmile.learning.declarations.report import Report
from lastmile.orchestration.learning.following import made_along, when_updated
from lastmile.orchestration.learning.shared import (
    REPORTS,
    RETRIES,
    code_version,
    relation_key,
    report_key,
    source_code,
    tags,
)
from lastmile.orchestration.pools import WAREHOUSE
from lastmile.orchestration.resources import Platform
from lastmile.telemetry.spans import span

_CHECK = "predictions_are_by_the_champion"
_DESCRIPTION = "All predictions that the page shows are by the version of their model that is in use."


def report_asset(declared: Declared[Report]) -> dg.AssetsDefinition:
    report, template = declared.value, declared.file.parent / declared.value.template
    predicted = [
        name for kind, _, name in (source.partition("/") for source in report.sources) if kind == "predictions"
    ]

    @dg.asset(
        key=report_key(report.name),
        description=report.description,
        deps=[relation_key(source) for source in report.sources],
        check_specs=[dg.AssetCheckSpec(_CHECK, asset=report_key(report.name), description=_DESCRIPTION)],
        automation_condition=when_updated(
            dg.AssetSelection.assets(relation_key(report.follows)), along=made_along(None)
        ),
        group_name=REPORTS,
        pool=WAREHOUSE,
        kinds={"html"},
        owners=[declared.value.owner],
        tags=tags(declared),
        code_version=code_version(declared, "reports", template.read_text()),
        retry_policy=RETRIES,
        metadata=source_code(declared),
    )
    def page(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster knows the bare name only
        from lastmile.learning.registry.deployments import predicted_by_others
        from lastmile.learning.report_data import ReportData

        store, made_at = platform.store(), datetime.now(UTC)
        with span("learning.report", report=report.name), platform.connect() as connection, connection.transaction():
            # All it shows is of one moment, whatever is made meanwhile.
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            contents = report.contents(ReportData(connection, store.url))
            others = predicted_by_others(connection, predicted)
        page = render(template, {**contents, "made_at": made_at, "run_id": context.run.run_id}).encode()
        folder = f"reports/{report.name}"
        kept = f"{folder}/{made_at:%Y-%m-%d}/{context.run.run_id}.html"
        for key in (kept, f"{folder}/latest.html"):
            store.put(key, page)
        for name, body in report.files({**contents, "made_at": made_at}).items():
            for key in (f"{folder}/{made_at:%Y-%m-%d}/{_dated(name, made_at)}", f"{folder}/latest/{name}"):
                store.put(key, body)
        return dg.MaterializeResult(
            check_results=[_verdict(others)],
            metadata={
                "report": dg.MetadataValue.url(f"{store.url}/{folder}/latest.html"),
                "this one": dg.MetadataValue.url(f"{store.url}/{kept}"),
                **{title: _shown(title, value) for title, value in report.summary(contents).items()},
            },
        )

    return page


def _dated(name: str, at: datetime) -> str:
    """`users.csv` as `users-20260131T093000Z.csv`."""
    stem, point, suffix = name.partition(".")
    return f"{stem}-{at:%Y%m%dT%H%M%SZ}{point}{suffix}"


def _verdict(others: Mapping[str, str]) -> dg.AssetCheckResult:
    said = [f"{name}: {found}" for name, found in others.items()]
    severity = dg.AssetCheckSeverity.WARN  # what is new is predicted next, and the page made anew after it
    return dg.AssetCheckResult(
        check_name=_CHECK, passed=not said, severity=severity, description="; ".join(said) or None
    )


def render(template: Path, contents: Mapping[str, Any]) -> str:
    """The page, with every text from the data escaped."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(template.parent), autoescape=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template(template.name).render(contents)


def _shown(title: str, value: int | float | str | bytes) -> Any:
    from lastmile.learning.plots import as_markdown

    return dg.MetadataValue.md(as_markdown(value, title)) if isinstance(value, bytes) else value
