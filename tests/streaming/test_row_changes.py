"""A topic of Debezium's envelopes, read from a real broker into the tables of now and of history."""

import io
import json
import random
import struct
from dataclasses import dataclass, field
from typing import Any

import fastavro
import psycopg
import pytest
from followed import contract
from kafka_broker import RunningBroker

from lastmile.errors import UserError
from lastmile.store import Store
from lastmile.streaming import Stream
from lastmile.streaming.consumer import commit
from lastmile.streaming.consumer.running import Running, Surroundings
from lastmile.streaming.schemas.files import FileRegistry
from lastmile.streaming.schemas.schema import Schema

ROW = {
    "type": "record",
    "name": "Value",
    "fields": [
        {"name": "article", "type": "long"},
        {"name": "name", "type": ["null", "string"], "default": None},
        {"name": "quantity", "type": ["null", "int"], "default": None},
    ],
}
ENVELOPE = {
    "type": "record",
    "name": "Envelope",
    "namespace": "shop.public.stock",
    "fields": [
        {"name": "before", "type": ["null", ROW], "default": None},
        {"name": "after", "type": ["null", "Value"], "default": None},
        {
            "name": "source",
            "type": {
                "type": "record",
                "name": "Source",
                "fields": [{"name": "lsn", "type": ["null", "long"]}, {"name": "ts_ms", "type": "long"}],
            },
        },
        {"name": "op", "type": "string"},
    ],
}


@dataclass
class Stock:
    """A topic with changes of a stock; `rows` is what the database has."""

    kafka: RunningBroker
    database_url: str
    store: Store
    partitions: int = 1
    schema: int | None = None
    rows: dict[int, int | None] = field(default_factory=dict)
    lsn: int = 100
    changes: int = 0
    topic: str = field(init=False)

    def __post_init__(self) -> None:
        self.topic = self.kafka.new_topic(self.partitions)

    def stream(self, **more: Any) -> Stream:
        said = {"name": "stock", "description": "Stock.", "owner": "team:shop", "contract": "stock", "lands": False}
        return Stream(**{**said, "topic": self.topic, "format": "debezium", **more})

    def change(self, op: str, article: int, quantity: int | None = None) -> list[bytes | None]:
        """A message, after a deletion the tombstone too."""
        self.lsn += 8
        self.changes += 1
        after = None if op == "d" else {"article": article, "name": f"a{article}", "quantity": quantity}
        before = {"article": article, "name": None, "quantity": None} if op == "d" else None
        if op == "d":
            self.rows.pop(article)
        else:
            self.rows[article] = quantity
        said = {"op": op, "before": before, "after": after, "source": {"lsn": self.lsn, "ts_ms": 1_700_000_000_000}}
        return [self.encoded(said), *([None] if op == "d" else [])]

    def encoded(self, said: dict[str, Any]) -> bytes:
        if self.schema is None:
            return json.dumps(said).encode()
        file = io.BytesIO()
        fastavro.schemaless_writer(file, ENVELOPE, said)
        return b"\0" + struct.pack(">I", self.schema) + file.getvalue()

    def send(self, *messages: list[bytes | None], partition: int = 0) -> None:
        with self.kafka.producer() as producer:
            for message in (one for some in messages for one in some):
                producer.produce(
                    self.topic, message, key=b'{"article": 1}' if message is None else None, partition=partition
                )

    def read(self) -> int:
        here = Surroundings(
            self.database_url, self.store, {"bootstrap.servers": self.kafka.servers, "log_level": "0"}, 30.0
        )
        running = Running(self.stream(), contract(), here, until_caught_up=True)
        running.run()
        return running.events

    def shows(self) -> dict[int, int | None]:
        return dict(self.query("SELECT article, quantity FROM changes.stock"))

    def query(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database_url) as connection:
            return connection.execute(query.encode()).fetchall()


@pytest.fixture
def stock(kafka: RunningBroker, database_url: str, store: Store) -> Stock:
    return Stock(kafka, database_url, store)


@pytest.fixture(params=["JSON", "Avro"])
def encoded(request: pytest.FixtureRequest, stock: Stock) -> Stock:
    if request.param == "Avro":
        found = FileRegistry(stock.store).register(f"{stock.topic}-value", Schema("AVRO", json.dumps(ENVELOPE)))
        stock.schema = found.id
    return stock


def test_changes_end_as_rows_and_history(encoded: Stock) -> None:
    stock = encoded
    stock.send(stock.change("r", 1, 5), stock.change("c", 2, 6), stock.change("u", 1, 7))
    assert stock.read() == 3
    stock.send(stock.change("d", 2), stock.change("c", 3, None))
    assert stock.read() == 2
    assert stock.shows() == stock.rows == {1: 7, 3: None}
    ops = stock.query(
        "SELECT op, key, before ->> 'quantity', after ->> 'quantity' FROM changes.stock_history ORDER BY lsn"
    )
    assert ops == [
        ("r", '["1"]', None, "5"),
        ("c", '["2"]', None, "6"),
        ("u", '["1"]', "5", "7"),
        ("d", '["2"]', "6", None),
        ("c", '["3"]', None, None),
    ]


def test_what_debezium_sends_again_counts_once(stock: Stock) -> None:
    messages = [*stock.change("c", 1, 5), *stock.change("u", 1, 7), *stock.change("c", 2, 1), *stock.change("d", 2)]
    stock.send(messages)
    stock.read()
    stock.send(messages)
    assert stock.read() == 0
    assert stock.shows() == stock.rows == {1: 7}
    assert stock.query("SELECT sum(duplicate) FROM streams.positions") == [(4,)]


def test_poison_and_bad_versions_are_in_quarantine_and_the_stream_goes_on(stock: Stock) -> None:
    stock.send([b"{no json", b"\0\0\0\0\x63x", None], stock.change("c", 1, -5), stock.change("c", 2, 6))
    stock.read()
    assert stock.shows() == {2: 6}
    found = stock.query('SELECT "offset", rule FROM quarantine.messages ORDER BY "offset"')
    assert [offset for offset, _ in found] == [0, 1, 3]
    assert found[-1] == (3, "at_least")
    assert stock.query("SELECT committed, quarantined FROM streams.positions") == [(5, 3)]


def test_nothing_of_a_batch_is_there_where_its_offsets_are_not(stock: Stock, monkeypatch: pytest.MonkeyPatch) -> None:
    stock.send(stock.change("c", 1, 5), stock.change("u", 1, 7))

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("before the commit")

    with monkeypatch.context() as patch:
        patch.setattr(commit.positions, "move", fail)
        with pytest.raises(RuntimeError):
            stock.read()
    assert stock.shows() == {}
    assert stock.read() == 2
    assert stock.shows() == {1: 7}


def test_keys_of_several_partitions_end_as_in_the_database(
    kafka: RunningBroker, database_url: str, store: Store
) -> None:
    stock, chance = Stock(kafka, database_url, store, partitions=3), random.Random(5)
    sent: list[list[list[bytes | None]]] = [[], [], []]
    for _ in range(600):
        article = chance.randint(1, 60)
        op = "c" if article not in stock.rows else chance.choice("uud")
        sent[article % 3].append(stock.change(op, article, chance.randint(0, 99)))
    for partition, messages in enumerate(sent):
        stock.send(*messages, partition=partition)
    assert stock.read() == 600
    assert stock.shows() == stock.rows
    assert stock.query("SELECT count(*) FROM changes.stock_history") == [(600,)]


def test_columns_that_the_contract_lacks_stop_the_stream_and_nothing_is_lost(stock: Stock) -> None:
    stock.send([json.dumps({"op": "c", "after": {"number": 1}, "source": {"lsn": 5}}).encode()])
    with pytest.raises(UserError, match="required columns"):
        stock.read()
    assert stock.query("SELECT committed FROM streams.positions") in ([], [(None,)])


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"lands": True}, "changes of rows have no steps, windows or joins, and are no drops"),
        ({"format": "json"}, "expected an event_time"),
    ],
)
def test_a_declaration_says_what_changes_cannot_have(stock: Stock, more: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        stock.stream(**more)


def test_a_contract_without_a_key_is_refused(stock: Stock) -> None:
    with pytest.raises(ValueError, match="stock has no key, by which a change says of which row it is"):
        stock.stream().expect_fits(contract(key=()))
