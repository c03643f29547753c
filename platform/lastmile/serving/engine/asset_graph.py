"""The graph of assets as last known: read from Dagster when what is declared changed, kept while Dagster is away."""

import threading
import time
from typing import Any

from lastmile.catalogue.published import version
from lastmile.errors import Unreachable
from lastmile.serving.state import Serving

#: Of what is not in the catalogue, such as a report, a change is seen after so long.
_SECONDS = 300.0


class AssetGraph:
    """`nodes` are those of `orchestration.graph`."""

    def __init__(self, here: Serving) -> None:
        self._here = here
        self._nodes: dict[str, dict[str, Any]] = {}
        self._version, self._read_at = "", 0.0
        self._reading = threading.Lock()

    def nodes(self) -> dict[str, dict[str, Any]]:
        """Raises Unreachable where Dagster is away and was never here."""
        with self._here.reading() as connection:
            now = version(connection)
        with self._reading:
            if self._nodes and now == self._version and time.monotonic() - self._read_at < _SECONDS:
                return self._nodes
            try:
                self._nodes = self._here.engine("dagster").call("lastmile.serving.engine.following:assets")
                self._version, self._read_at = now, time.monotonic()
            except Unreachable:
                if not self._nodes:
                    raise
            return self._nodes

    def datasets(self, relation: str) -> set[str]:
        """The datasets that a relation (`schema.table`) is made from."""
        above = reached(upstream(self.nodes()), relation.replace(".", "/", 1), depth=10**6)
        return {key.removeprefix("raw/") for key in above if key.startswith("raw/")}


def upstream(nodes: dict[str, dict[str, Any]]) -> dict[str, list[str]]:
    return {key: node["upstream"] for key, node in nodes.items()}


def downstream(nodes: dict[str, dict[str, Any]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {key: [] for key in nodes}
    for key, node in nodes.items():
        for above in node["upstream"]:
            found.setdefault(above, []).append(key)
    return found


def reached(edges: dict[str, list[str]], start: str, depth: int) -> dict[str, int]:
    """What can be reached from there in so many steps, and in how many; the nearest first."""
    found, edge = {start: 0}, [start]
    for distance in range(1, depth + 1):
        edge = sorted({to for one in edge for to in edges.get(one, ())} - found.keys())
        if not edge:
            break
        found |= dict.fromkeys(edge, distance)
    return {key: distance for key, distance in found.items() if distance}
