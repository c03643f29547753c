"""The shop whose sales are a stream."""

import pytest
from kafka_broker import RunningBroker
from streamed import Shop

from lastmile.store import Store


@pytest.fixture
def shop(kafka: RunningBroker, database_url: str, store: Store) -> Shop:
    """A stream of one partition, on the broker of all tests."""
    return Shop(kafka, database_url, store)


@pytest.fixture
def shops(kafka: RunningBroker, database_url: str, store: Store) -> Shop:
    """The same with four partitions."""
    return Shop(kafka, database_url, store, partitions=4)
