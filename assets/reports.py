"""What people read: pages that need nothing but a browser, kept in the store."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg

from assets.features import HOUSEHOLD_VULNERABILITY, OWNERS, TAGS
from assets.models import MODEL_KEY, NAME
from assets.predictions import PREDICTIONS_KEY
from lastmile.orchestration.following import when_updated
from lastmile.orchestration.resources import Platform

REPORT_KEY = dg.AssetKey(["reports", NAME])
TEMPLATES = Path(__file__).parent / "templates"
FOLDER = f"reports/{NAME}"


@dg.asset(
    key=REPORT_KEY,
    description="One page: predicted levels, quality of what came in, surveys in doubt, how far to trust the model.",
    deps=[PREDICTIONS_KEY, MODEL_KEY, dg.AssetKey(["marts", "dim_survey"])],
    automation_condition=when_updated(dg.AssetSelection.assets(PREDICTIONS_KEY)),
    group_name="reports",
    owners=OWNERS,
    kinds={"html"},
    tags=TAGS,
    retry_policy=dg.RetryPolicy(max_retries=2, delay=5),
)
def vulnerability_report(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster knows the bare name only
    from assets.report_contents import contents

    store, made_at = platform.store(), datetime.now(UTC)
    with platform.connect() as connection:
        found = contents(connection, store.url, NAME, HOUSEHOLD_VULNERABILITY)
    page = render({**found, "made_at": made_at, "run_id": context.run_id}).encode()
    kept = f"{FOLDER}/{made_at:%Y-%m-%d}/{context.run_id}.html"
    for key in (kept, f"{FOLDER}/latest.html"):
        store.put(key, page)
    return dg.MaterializeResult(metadata=_metadata(found, store.url, kept))


def render(found: Mapping[str, Any]) -> str:
    """The page, with every text from the data escaped."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template("vulnerability.html.j2").render(found)


def _metadata(found: Mapping[str, Any], store: str, kept: str) -> Mapping[str, Any]:
    from lastmile.learning import plots

    levels, colours = zip(*found["levels"], strict=True)
    bars = {
        "predicted levels by year": {str(year): counts for year, counts in found["by_year"].items()},
        "predicted levels by country": found["by_country"],
    }
    pictures = {title: plots.shares(title, rows, levels, colours, "households") for title, rows in bars.items() if rows}
    return {
        "report": dg.MetadataValue.url(f"{store}/{FOLDER}/latest.html"),
        "this one": dg.MetadataValue.url(f"{store}/{kept}"),
        "households": sum(found["total"]),
        "vulnerable": found["vulnerable"],
        "surveys with a conversion factor in doubt": len(found["in_doubt"]),
        **{title: dg.MetadataValue.md(plots.as_markdown(png, title)) for title, png in pictures.items()},
    }


report_assets = [vulnerability_report]
