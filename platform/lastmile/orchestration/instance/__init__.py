"""Dagster's own settings by profile: `single` for one machine, `cluster` for processes on many.

`single` is also the dagster.yaml at the top of the repository; a test holds the two equal.
"""

import shutil
from pathlib import Path

_FOLDER = Path(__file__).parent


def write_dagster_yaml(profile: str, home: Path) -> None:
    """Put the profile's settings into `home` as dagster.yaml."""
    shutil.copyfile(_FOLDER / f"{profile}.yaml", home / "dagster.yaml")
