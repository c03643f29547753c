"""`lastmile schema publish` and `check`: contracts as schemas of the registry."""

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from lastmile.cli.options import AsJson
from lastmile.errors import UserError
from lastmile.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lastmile.streaming.schemas.publication import Published

Names = Annotated[list[str] | None, typer.Argument(help="Streams or datasets (default: all streams).")]
Force = Annotated[bool, typer.Option("--force", help="Also where it breaks what the subject promises.")]


class Kind(StrEnum):
    AVRO = "avro"
    JSON = "json"
    PROTOBUF = "protobuf"


def publish(
    names: Names = None,
    kind: Annotated[Kind | None, typer.Option("--format", help="As the first version of a subject.")] = None,
    subject: Annotated[str | None, typer.Option(help="Another subject than <topic>-value, of one name.")] = None,
    force: Force = False,
) -> None:
    """Publish contracts as schemas, a new version where one has changed compatibly.

    Example: lastmile schema publish page_views --format avro
    """
    from lastmile.streaming.schemas.publication import publish as publish_one
    from lastmile.streaming.schemas.registry import open_registry

    settings = Settings.from_environment()
    registry, found = open_registry(settings), _published(settings, names, kind, subject)
    for one in found:
        there = publish_one(registry, one, force)
        print(f"{there.subject} version {there.version}: {one.contract.name} as {there.schema.kind}, id {there.id}")


def check(names: Names = None, as_json: AsJson = False) -> None:
    """Say whether contracts are compatible with what the registry has; exit with 1 where one is not. For CI.

    Example: lastmile schema check
    """
    from lastmile.streaming.schemas.publication import judge, refusal
    from lastmile.streaming.schemas.registry import open_registry

    settings = Settings.from_environment()
    registry = open_registry(settings)
    verdicts = [judge(registry, one) for one in _published(settings, names, None, None)]
    if as_json:
        print(
            json.dumps(
                [
                    {"subject": one.published.subject, "contract": one.published.contract.name, "new": one.is_new}
                    | {"version": one.there.version if one.there else None, "broken": list(one.broken)}
                    for one in verdicts
                ]
            )
        )
    for one in () if as_json else verdicts:
        state = refusal(one) if one.broken else "not published as it is now" if one.is_new else "as published"
        print(f"{one.published.subject}: {state}")
    if any(one.broken for one in verdicts):
        raise typer.Exit(1)


def _published(
    settings: Settings, names: "Sequence[str] | None", kind: Kind | None, subject: str | None
) -> "list[Published]":
    """What the names stand for; without names all streams. Raises UserError where there is no such thing."""
    from dataclasses import replace

    from lastmile.contracts.loading import load_contracts
    from lastmile.contracts.lookup import contract_of
    from lastmile.streaming.declarations.loading import load_streams
    from lastmile.streaming.schemas.publication import Published, of_stream
    from lastmile.streaming.schemas.schema import KINDS

    contracts = load_contracts(settings.assets)
    streams = load_streams(settings.assets, contracts)
    known = {name: of_stream(stream, contracts[stream.contract]) for name, stream in streams.items()}
    if subject and len(names or ()) != 1:
        raise UserError("--subject is of one contract: name it")
    found = []
    for name in names or known:
        of_contract = [one for one in known.values() if one.contract.name == name]
        if name in known or of_contract:
            found += [known[name]] if name in known else of_contract
        else:
            contract = contract_of(name, contracts)
            found.append(Published(f"{name}-value", contract, "JSON"))
    if kind is not None:
        named = next(one for one in KINDS if one.lower() == kind)
        found = [replace(one, kind=named) for one in found]
    return [replace(one, subject=subject) for one in found] if subject else found
