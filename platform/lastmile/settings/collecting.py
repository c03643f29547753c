"""How the API collects events of web pages: how many, how large, and where they wait while there is no broker."""

from dataclasses import dataclass
from pathlib import Path

from lastmile.settings.api import fault_of_rate
from lastmile.settings.group import at_least, variable


@dataclass(frozen=True)
class CollectSettings:
    """Limits of `POST /collect/{stream}`, and its journal."""

    rate: str = variable(
        "LASTMILE_COLLECT_RATE",
        "Requests of one address with one write key.",
        "200/second",
        example="200/second",
        check=fault_of_rate,
    )
    bytes: int = variable(
        "LASTMILE_COLLECT_BYTES",
        "The longest body of events; browsers send no longer beacon than 65536.",
        65_536,
        example="65536",
        check=at_least(1),
    )
    buffer_bytes: int = variable(
        "LASTMILE_COLLECT_BUFFER_BYTES",
        "How much of a stream waits on disk while the broker is away; more is refused.",
        2**30,
        example="1073741824",
        check=at_least(1),
    )
    folder: Path | None = variable(
        "LASTMILE_COLLECT_FOLDER", "The folder where they wait; one of the home where not set.", None
    )
