"""An MQTT message as an event: its payload, and what the levels of its topic say."""

from collections.abc import Sequence

import orjson


def value_of(topic: str, payload: bytes, columns: Sequence[str | None]) -> bytes:
    """The payload with the topic's columns, which it says itself or not. What is no JSON object stays as it is: the
    stream's quarantine shows it."""
    named = {name: level for name, level in zip(columns, topic.split("/"), strict=False) if name is not None}
    if not named:
        return payload
    try:
        found = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return payload
    return orjson.dumps({**found, **named}) if isinstance(found, dict) else payload
