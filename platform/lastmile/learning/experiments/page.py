"""A report as a page: the verdict first, then what it rests on, and a picture for each treatment."""

from collections.abc import Sequence
from pathlib import Path

import jinja2

from lastmile.learning import plots
from lastmile.learning.experiments.comparison import Comparison
from lastmile.learning.experiments.experiment import Event
from lastmile.learning.experiments.metrics import higher_is_better
from lastmile.learning.experiments.report import Report, verdict_on
from lastmile.learning.experiments.sequence import LOOKS
from lastmile.store import Store

_TEMPLATE = Path(__file__).with_name("page.html")


def page(report: Report, events: Sequence[Event]) -> str:
    """HTML that needs no other file, with every text from the data escaped."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    shown = [
        {
            "found": comparison,
            "verdict": verdict_on(report.experiment, comparison),
            "picture": plots.as_source(picture(report, comparison)) if comparison.looks else None,
        }
        for comparison in report.comparisons
    ]
    contents = {"report": report, "experiment": report.experiment, "comparisons": shown, "events": events}
    return environment.from_string(_TEMPLATE.read_text()).render(contents)


def keep(store: Store, experiment: str, page: str) -> str:
    """Put the page in the store; returns where it lies."""
    key = f"reports/experiments/{experiment}.html"
    store.put(key, page.encode())
    return f"{store.url}/{key}"


def picture(report: Report, comparison: Comparison) -> bytes:
    """The difference at each look within its confidence sequence, against the rows known by then. Needs a look."""
    experiment, looks = report.experiment, comparison.looks
    sure = 1 - experiment.alpha * LOOKS / len(experiment.treatments)
    better = "above" if higher_is_better(experiment.metric) else "below"
    title = f"Version {comparison.treatment} minus version {experiment.control}: {better} 0 is better"
    return plots.band(
        title,
        [(look.rows, look.effect) for look in looks],
        [(look.low, look.high) for look in looks],
        (f"rows with outcome, of {experiment.planned_size:,} planned", f"{experiment.metric}, {sure:.1%} at all looks"),
    )
