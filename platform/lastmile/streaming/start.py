"""A stream of this installation, ready to be run."""

from collections.abc import Mapping

from lastmile.contracts.contract import Contract
from lastmile.contracts.loading import load_contracts
from lastmile.contracts.lookup import contract_of
from lastmile.settings import Settings
from lastmile.settings.group import load
from lastmile.settings.kafka import KafkaSettings
from lastmile.store import open_store
from lastmile.streaming.consumer.running import Running, Surroundings
from lastmile.streaming.declarations.loading import load_streams, stream_of
from lastmile.streaming.declarations.stream import Stream
from lastmile.streaming.schemas.publication import expect_live
from lastmile.streaming.schemas.registry import open_registry
from lastmile.warehouse.connections import database_url


def declared(settings: Settings, name: str) -> tuple[Stream, Contract]:
    """A stream and its contract. Raises UserError where there is no such stream."""
    contracts = load_contracts(settings.assets)
    stream = stream_of(name, load_streams(settings.assets, contracts))
    return stream, contract_of(stream.contract, contracts)


def running(
    settings: Settings,
    name: str,
    until_caught_up: bool = False,
    database: str | None = None,
    kafka: Mapping[str, str] | None = None,
) -> Running:
    """With the database and the broker given, or those configured. Raises UserError where there is none, or no such
    stream, or where its contract is not compatible with what the topic has."""
    contracts = load_contracts(settings.assets)
    streams = load_streams(settings.assets, contracts)
    stream = stream_of(name, streams)
    contract = contract_of(stream.contract, contracts)
    expect_live(open_registry(settings), stream, contract)
    others = {one.name: (one, contract_of(one.contract, contracts)) for one in streams.values() if one.name != name}
    here = Surroundings(database or database_url(settings), open_store(settings), kafka or load(KafkaSettings).client())
    return Running(stream, contract, here, until_caught_up, others)
