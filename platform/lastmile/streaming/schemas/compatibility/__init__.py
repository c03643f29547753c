"""What a new version of a schema breaks, by Confluent's levels.

A schema reads another one if messages written with that are read with it: nothing is missing, nothing gets another
meaning. BACKWARD: the new one reads what was written so far. FORWARD: those who have the old one read what is written
with the new. FULL is both; TRANSITIVE means all earlier versions, not only the last. In three points this is stricter
than Confluent's: a timestamp in other units, or a decimal of another scale, is read as another value; bytes need not be
a text; and a field of Protobuf with another name becomes another column.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lastmile.streaming.schemas.compatibility import avro, json_schema, protobuf
from lastmile.streaming.schemas.resolving import avro_names, protobuf_files
from lastmile.streaming.schemas.schema import Registered, Schema, document

if TYPE_CHECKING:
    from lastmile.streaming.schemas.registry import Level, Registry


def broken(registry: "Registry", level: "Level", new: Schema, earlier: Sequence[Registered]) -> list[str]:
    """A sentence for each thing that the new schema breaks; `earlier` are the versions, the oldest first."""
    if level == "NONE":
        return []
    compared = earlier if level.endswith("TRANSITIVE") else earlier[-1:]
    found: list[str] = []
    for one in reversed(compared):
        where = f"version {one.version}"
        if one.schema.kind != new.kind:
            found.append(f"{where} is {one.schema.kind}, this is {new.kind}")
            continue
        if level.startswith(("BACKWARD", "FULL")):
            found += [f"what {where} wrote cannot be read: {why}" for why in unread(registry, new, one.schema)]
        if level.startswith(("FORWARD", "FULL")):
            found += [f"who has {where} cannot read it: {why}" for why in unread(registry, one.schema, new)]
    return found


def unread(registry: "Registry", reader: Schema, writer: Schema) -> list[str]:
    """What of messages written with one schema another of the same kind does not read."""
    if reader.kind == "AVRO":
        return avro.unread(
            document(reader), document(writer), avro_names(registry, reader), avro_names(registry, writer)
        )
    if reader.kind == "JSON":
        return json_schema.unread(document(reader), document(writer))
    return protobuf.unread(protobuf_files(registry, reader)[-1], protobuf_files(registry, writer)[-1])
