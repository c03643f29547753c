"""The chart as Kubernetes gets it: `python render.py CHART NAMESPACE VALUES...` prints the manifests as one JSON array.

What Helm would merge is merged, later files over earlier ones. Exit code 1, with Helm's words, where it cannot be.
"""

import json
import sys
from pathlib import Path
from typing import Any

import helm_python as helm
import yaml


def manifests(chart: Path, namespace: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    """Every object that the chart makes, in the order of its templates. Raises HelmError."""
    with helm.Chart.load(chart) as loaded:
        rendered = loaded.render(values, name="lastmile", namespace=namespace)
    return [found for text in rendered.values() for found in yaml.safe_load_all(text) if found]


def merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Both, `above` where they differ, as Helm merges files of values."""
    found = dict(below)
    for name, value in above.items():
        deeper = isinstance(value, dict) and isinstance(found.get(name), dict)
        found[name] = merged(found[name], value) if deeper else value
    return found


if __name__ == "__main__":
    chart, namespace, *files = sys.argv[1:]
    values: dict[str, Any] = {}
    for file in files:
        values = merged(values, helm.values_from_yaml(Path(file).read_text()))
    try:
        print(json.dumps(manifests(Path(chart), namespace, values)))
    except helm.HelmError as error:
        sys.exit(f"helm: {error}")
