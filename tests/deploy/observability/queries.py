"""Every query of the dashboards and the rules, and the metrics that they name."""

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml
from checkout import PROJECT

PLACE = PROJECT / "platform" / "deploy" / "observability"
DASHBOARDS = sorted((PLACE / "grafana" / "dashboards").glob("*.json"))
#: A word of a query that is followed by neither a bracket nor a label's comparison.
_METRIC = re.compile(r"\b(?:lastmile_\w+|up|ALERTS)\b")


def dashboards() -> dict[str, dict[str, Any]]:
    return {file.stem: json.loads(file.read_text()) for file in DASHBOARDS}


def of_dashboards() -> Iterator[tuple[str, str]]:
    """Where each query is, and the query as Grafana sends it with all values of its variables."""
    for name, board in dashboards().items():
        for variable in board["templating"]["list"]:
            yield f"{name}: variable {variable['name']}", f"group({_series_of(variable['query']['query'])})"
        for panel in board["panels"]:
            for target in panel["targets"]:
                yield f"{name}: {panel['title']} {target['refId']}", _filled_in(target["expr"])


def of_rules() -> Iterator[tuple[str, str]]:
    for group in yaml.safe_load((PLACE / "prometheus" / "rules.yml").read_text())["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]


def metrics(query: str) -> set[str]:
    """Names of the families that the query reads, as they are scraped."""
    return set(_METRIC.findall(re.sub(r"\{[^}]*\}", "", query)))


def _filled_in(query: str) -> str:
    return re.sub(r"\$\w+", ".*", query.replace("$__rate_interval", "1m"))


def _series_of(query: str) -> str:
    found = re.fullmatch(r"label_values\((\w+), \w+\)", query)
    assert found, query
    return found[1]
