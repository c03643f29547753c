"""On which port each process of this home's platform answers, as `lastmile up` has written it down."""

import json
from collections.abc import Mapping
from pathlib import Path

_FILE = "endpoints.json"


def note(home: Path, ports: Mapping[str, int]) -> None:
    """Whole or not at all: it is read meanwhile."""
    partial = home / f"{_FILE}.partial"
    partial.write_text(json.dumps(dict(ports)))
    partial.replace(home / _FILE)


def endpoints(home: Path) -> dict[str, int]:
    """Ports by the name of the process; none where nothing was started here."""
    try:
        found: dict[str, int] = json.loads((home / _FILE).read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return found
