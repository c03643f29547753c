"""Confluent's frame around a message: a zero byte and the number of its schema in the registry."""

from collections.abc import Sequence

FRAME_BYTES = 5


def schema_id(value: bytes | None) -> int | None:
    """The number of the schema; None where the message has no frame."""
    if value is None or len(value) < FRAME_BYTES or value[0] != 0:
        return None
    return int.from_bytes(value[1:FRAME_BYTES], "big")


def by_schema(values: Sequence[bytes | None]) -> dict[int | None, list[int]]:
    """The numbers of the messages by their schemas, under None those without a frame."""
    frames = [value[:FRAME_BYTES] if value else b"" for value in values]
    different = set(frames)
    if len(different) == 1:
        return {schema_id(frames[0]): list(range(len(frames)))}
    groups: dict[int | None, list[int]] = {}
    for number, frame in enumerate(frames):
        groups.setdefault(schema_id(frame), []).append(number)
    return groups


def unframed(value: bytes | None) -> str:
    """Why a message without a frame is not read."""
    if value is None:
        return "expected a message with the number of its schema; the message has no value"
    return (
        f"expected a zero byte and the number of a schema at its start, found {value[:FRAME_BYTES].hex() or 'nothing'}"
    )
