"""`lastmile schema list` and `show`: what the registry has."""

import base64
import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.table import Table

from lastmile.cli.options import AsJson
from lastmile.cli.tables import print_table
from lastmile.settings import Settings

if TYPE_CHECKING:
    from lastmile.streaming.schemas.schema import Schema


def overview(as_json: AsJson = False) -> None:
    """List the subjects of the registry: versions, kind, number and compatibility level.

    Example: lastmile schema list
    """
    from lastmile.streaming.schemas.registry import open_registry

    registry = open_registry(Settings.from_environment())
    rows = [
        {
            "subject": subject,
            "versions": len(registry.versions(subject)),
            "kind": latest.schema.kind,
            "id": latest.id,
            "level": registry.level(subject),
        }
        for subject in registry.subjects()
        for latest in (registry.version(subject),)
    ]
    if as_json:
        print(json.dumps(rows))
        return
    if not rows:
        print("the registry has no subject; `lastmile schema publish CONTRACT` makes one")
        return
    table = Table("subject", "versions", "kind", "id", "level", box=box.SIMPLE_HEAD)
    for row in rows:
        table.add_row(*map(str, row.values()))
    print_table(table)


def show(
    subject: Annotated[str, typer.Argument(help="A subject, such as orders-value, or the number of a schema.")],
    version: Annotated[int | None, typer.Option(help="One version (default: the newest).", min=1)] = None,
    as_json: AsJson = False,
) -> None:
    """Print a schema.

    Example: lastmile schema show orders-value
    """
    from lastmile.streaming.schemas.registry import LATEST, open_registry

    registry = open_registry(Settings.from_environment())
    if subject.isdecimal() and subject not in registry.subjects():
        found, known = registry.by_id(int(subject)), {"id": int(subject)}
    else:
        there = registry.version(subject, version or LATEST)
        found, known = there.schema, {"id": there.id, "version": there.version}
    if as_json:
        print(json.dumps({"subject": subject, **known, **found.as_json()}))
        return
    print(_readable(found))


def _readable(schema: "Schema") -> str:
    if schema.kind != "PROTOBUF":
        return json.dumps(json.loads(schema.text), indent=2, ensure_ascii=False)
    from google.protobuf.descriptor_pb2 import FileDescriptorProto

    return str(FileDescriptorProto.FromString(base64.standard_b64decode(schema.text))).rstrip()
