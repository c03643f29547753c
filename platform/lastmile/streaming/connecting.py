"""A connector of this installation, ready to be run: its declaration, the topic it writes to, and a producer for it."""

from pathlib import Path
from typing import Any

from lastmile.client import AsyncProducer
from lastmile.contracts.loading import load_contracts
from lastmile.settings import Settings
from lastmile.settings.group import load
from lastmile.settings.kafka import KafkaSettings
from lastmile.streaming.declarations.connectors import Kind, connector_of, load_connectors
from lastmile.streaming.declarations.loading import load_streams

#: What is on its way to the broker; more is left where it comes from until then.
_MOST_BYTES = 64 * 2**20


def found(settings: Settings, name: str, kind: type[Kind]) -> tuple[Kind, str]:
    """The connector and its topic. Raises UserError where there is none."""
    streams = load_streams(settings.assets, load_contracts(settings.assets))
    connector = connector_of(name, kind, load_connectors(settings.assets, streams))
    return connector, streams[connector.stream].topic


def producer(topic: str, journal: Path, discard: bool) -> AsyncProducer:
    """With `discard` one that forgets what an earlier process left, where its source has that still. Raises UserError
    where there is no Kafka."""
    client = load(KafkaSettings).client()
    given: dict[str, Any] = {"servers": client["bootstrap.servers"], "topic": topic, "journal": journal}
    more: dict[str, Any] = {"client": client, "most_bytes": _MOST_BYTES, "discard": discard}
    return AsyncProducer(**given, **more, patience_seconds=float("inf"))
