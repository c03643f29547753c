"""Envelopes of Debezium, applied as changes that are read from a log."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import psycopg
import pytest
from followed import COLUMNS, contract
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lastmile.contracts.fields import column
from lastmile.ingestion.batch import Refused
from lastmile.sources.changes.debezium import Envelopes

AT = datetime(2026, 3, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Envelope:
    op: Any
    key: dict[str, Any] | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    lsn: int | None
    place: tuple[int, int]
    at: datetime | None = AT
    transaction: str | None = "7"
    unsent: frozenset[str] = frozenset()


@dataclass
class Topic:
    """Sends, and applies what was sent; each message gets the next offset."""

    here: psycopg.Connection
    envelopes: Envelopes = field(default_factory=lambda: Envelopes("stock", contract(), "shop.public.stock"))
    offset: int = 0

    def message(
        self, op: str, lsn: int | None, article: int, before: Any = None, after: Any = None, **more: Any
    ) -> Envelope:
        self.offset += 1
        row = None if after is None else {"article": article, **after}
        return Envelope(op, {"article": article}, before, row, lsn, (0, self.offset), **more)

    def apply(self, *messages: Envelope, envelopes: Envelopes | None = None) -> tuple[int, int, int]:
        made = envelopes or self.envelopes
        made.prepare(self.here)
        with self.here.transaction():
            done = made.apply(self.here, messages)
        return done.changes, done.quarantined, done.repeated

    def rows(self, columns: str = "article, quantity") -> list[tuple[Any, ...]]:
        return self.here.execute(f"SELECT {columns} FROM changes.stock ORDER BY 1".encode()).fetchall()

    def history(self, columns: str = "op, key, before ->> 'quantity', after ->> 'quantity'") -> list[tuple[Any, ...]]:
        query = f"SELECT {columns} FROM changes.stock_history ORDER BY snapshot, lsn, number"
        return self.here.execute(query.encode()).fetchall()


@pytest.fixture
def topic(database_url: str) -> Iterator[Topic]:
    with psycopg.connect(database_url, autocommit=True) as here:
        yield Topic(here)


def test_rows_are_created_updated_deleted_and_read(topic: Topic) -> None:
    done = topic.apply(
        topic.message("r", 10, 1, after={"quantity": 1, "price": 1.5}),
        topic.message("c", 20, 2, after={"quantity": 2, "price": None}),
        topic.message("u", 30, 1, after={"quantity": 3, "price": 1.5}),
        topic.message("d", 40, 2, before={"article": 2, "quantity": 2}),
    )
    assert (done, topic.rows("article, quantity, price")) == ((4, 0, 0), [(1, 3, 1.5)])
    assert topic.history() == [
        ("r", '["1"]', None, "1"),
        ("c", '["2"]', None, "2"),
        ("u", '["1"]', "1", "3"),
        ("d", '["2"]', "2", None),
    ]


def test_what_comes_again_is_left_out_also_of_a_row_that_is_gone(topic: Topic) -> None:
    first = [
        topic.message("c", 20, 1, after={"quantity": 2}),
        topic.message("u", 30, 1, after={"quantity": 3}),
        topic.message("d", 40, 1),
    ]
    topic.apply(*first)
    before = topic.history()
    again = [
        topic.message(one.op, one.lsn, 1, after=one.after and {"quantity": one.after["quantity"]}) for one in first
    ]
    assert topic.apply(*again) == (0, 0, 3)
    assert (topic.rows(), topic.history()) == ([], before)
    topic.apply(topic.message("c", 50, 1, after={"quantity": 9}))
    assert topic.rows() == [(1, 9)]


def test_a_value_that_was_not_sent_is_that_of_before_or_puts_the_row_into_quarantine(topic: Topic) -> None:
    unsent = frozenset(["name"])
    topic.apply(topic.message("c", 20, 1, after={"name": "long", "quantity": 2}))
    topic.apply(
        topic.message("u", 30, 1, after={"quantity": 3}, unsent=unsent),
        topic.message("u", 31, 5, after={"quantity": 3}, unsent=unsent),
    )
    assert topic.rows("article, name, quantity") == [(1, "long", 3)]
    (found,) = topic.here.execute("SELECT reasons -> 0 ->> 'message' FROM quarantine.messages").fetchall()
    assert found == ("name: expected its value, which an update left unchanged; found neither it nor the row before",)


def test_a_bad_version_is_in_quarantine_at_its_offset(topic: Topic) -> None:
    assert topic.apply(topic.message("c", 20, 1, after={"quantity": -2})) == (1, 1, 0)
    found = topic.here.execute('SELECT stream, topic, partition, "offset", rule FROM quarantine.messages').fetchall()
    assert (topic.rows(), found) == ([], [("stock", "shop.public.stock", 0, 1, "at_least")])


def test_truncating_leaves_what_came_later_and_counts_once(topic: Topic) -> None:
    topic.apply(topic.message("c", 20, 1, after={"quantity": 1}), topic.message("c", 50, 2, after={"quantity": 2}))
    truncation = Envelope("t", None, None, None, 40, (1, 99))
    assert topic.apply(truncation) == (1, 0, 0)
    assert topic.apply(truncation, topic.message("c", 20, 1, after={"quantity": 1})) == (0, 0, 2)
    assert topic.rows() == [(2, 2)]


def test_a_new_column_is_added_where_the_contract_says_so(topic: Topic) -> None:
    adding = Envelopes("stock", contract(unknown_columns="add"), "shop.public.stock")
    topic.apply(
        topic.message("c", 20, 1, after={"quantity": 1}),
        topic.message("c", 30, 2, after={"quantity": 2, "shelf": "B 4"}),
        topic.message("d", 40, 1),
        envelopes=adding,
    )
    assert topic.rows("article, quantity, shelf") == [(2, 2, "B 4")]


def test_columns_that_do_not_fit_refuse(topic: Topic) -> None:
    needs = contract(columns={**COLUMNS, "shelf": column(str, "Where.", required=True)})
    with pytest.raises(Refused, match="required columns"):
        topic.apply(topic.message("c", 20, 1, after={"quantity": 1}), envelopes=Envelopes("stock", needs, "t"))


def test_envelopes_of_a_log_without_positions_are_ordered_by_their_offsets(topic: Topic) -> None:
    topic.apply(topic.message("c", None, 1, after={"quantity": 1}), topic.message("u", None, 1, after={"quantity": 2}))
    assert topic.rows() == [(1, 2)]


@given(st.integers(0, 2**32), st.lists(st.integers(1, 40), max_size=12))
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_however_they_are_cut_into_batches_and_sent_again_rows_and_history_are_the_same(
    topic: Topic, seed: int, cuts: list[int]
) -> None:
    chance = random.Random(seed)
    rows: dict[int, int] = {}
    messages = []
    for lsn in range(1, 60):
        article = chance.randint(1, 6)
        if article not in rows:
            op, rows[article] = "c", lsn
        elif chance.random() < 0.3:
            op = "d"
            del rows[article]
        else:
            op, rows[article] = "u", lsn
        messages.append(topic.message(op, lsn, article, after=None if op == "d" else {"quantity": lsn}))
    topic.envelopes.prepare(topic.here)
    for table in ("stock", "stock_history", "stock_images"):
        topic.here.execute(f"TRUNCATE changes.{table}".encode())
    places = sorted({*cuts, 0, len(messages)})
    for first, last in pairwise(places):
        topic.apply(*messages[max(0, first - chance.randint(0, 9)) : last])
    assert topic.rows() == sorted(rows.items())
    assert len(topic.history()) == len(messages)
