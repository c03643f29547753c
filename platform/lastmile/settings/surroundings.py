"""What `lastmile up` and `lastmile env` hand to the processes they start, and programs of devices read."""

from dataclasses import dataclass
from pathlib import Path

from lastmile.settings.group import variable


@dataclass(frozen=True)
class Surroundings:
    """What is seldom set by hand: `lastmile up` sets it for what it starts."""

    project: Path | None = variable(
        "LASTMILE_PROJECT", "Folder of the project; the one around the working folder where not set.", None
    )
    dagster_url: str | None = variable(
        "LASTMILE_DAGSTER_URL", "Where Dagster keeps its state; in the same database where not set.", None, secret=True
    )
    dagster_temporary: str | None = variable(
        "LASTMILE_DAGSTER_TEMPORARY", "Folder of Dagster's state where definitions are only looked at.", None
    )
    forks: str | None = variable("LASTMILE_FORKS", "Socket of the process that others are forked from.", None)
    key: str | None = variable("LASTMILE_KEY", "API key of the client for devices.", None, secret=True)
