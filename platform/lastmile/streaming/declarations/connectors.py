"""Connectors: programs that carry events from where they come up into the topic of a stream.

    connector = Mqtt(
        name="air_stations",
        description="Readings of the stations, as they publish them.",
        owner="team:air",
        stream="air_readings",
        topics=("stations/+/air",),
        columns=(None, "station", None),
    )

in a file of a domain's `connectors/`. Nothing runs by being declared: `python -m lastmile.streaming.mqtt air_stations`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from lastmile.contracts.broken import Declarations
from lastmile.contracts.loading import load
from lastmile.contracts.names import COLUMN_NAME, COLUMN_NAME_IN_WORDS
from lastmile.errors import UserError
from lastmile.streaming.declarations.stream import Stream


@dataclass(frozen=True, kw_only=True)
class Connector:
    """What every connector has; `stream` is the one whose topic it writes to."""

    name: str
    description: str
    owner: str
    stream: str

    def __post_init__(self) -> None:
        if not COLUMN_NAME.fullmatch(self.name):
            raise ValueError(f"connector {self.name!r}: its name must be {COLUMN_NAME_IN_WORDS}")


@dataclass(frozen=True, kw_only=True)
class Mqtt(Connector):
    """Messages of an MQTT broker, the one that LASTMILE_MQTT_URL names. `topics` are filters, with `+` and `#`."""

    topics: Sequence[str]
    #: Columns that the levels of a message's topic are values of; None for a level that is none.
    columns: Sequence[str | None] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.topics or not all(self.topics):
            raise ValueError(f"connector {self.name}: expected topics, such as stations/+/air")
        if misnamed := [one for one in self.columns if one is not None and not COLUMN_NAME.fullmatch(one)]:
            raise ValueError(f"connector {self.name}: {misnamed} must be {COLUMN_NAME_IN_WORDS}")


@dataclass(frozen=True, kw_only=True)
class LogFiles(Connector):
    """Lines of log files that are rotated. `files` may have wildcards; those of a machine may be given when it starts.

    Format `combined` is the access log of Apache and nginx, `json` has an object on each line.
    """

    files: Sequence[str] = ()
    format: Literal["combined", "json"] = "combined"


Kind = TypeVar("Kind", bound=Connector)


def load_connectors(assets: str, streams: Mapping[str, Stream]) -> Declarations[Connector]:
    """The variable `connector` of every file in a domain's `connectors/`, by name; see `load_contracts`. One whose
    stream there is not is broken."""

    def checked(_: object, connector: Connector) -> Connector:
        if connector.stream not in streams:
            known = ", ".join(sorted(streams)) or "none"
            raise ValueError(f"connector {connector.name}: no stream {connector.stream!r}; there are: {known}")
        return connector

    return load(assets, "connectors", "connector", Connector, checked)


def connector_of(name: str, kind: type[Kind], connectors: Declarations[Connector]) -> Kind:
    """Raises UserError, with the names there are, where none of the kind has the name, or its file is broken."""
    found = connectors.get(name)
    if isinstance(found, kind):
        return found
    if broken := next((one for one in connectors.broken if name in one.names), None):
        raise UserError(f"{broken}; correct that file")
    known = ", ".join(sorted(one.name for one in connectors.values() if isinstance(one, kind))) or "none"
    raise UserError(f"no connector {name!r} of kind {kind.__name__}; there are: {known}")
