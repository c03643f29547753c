"""What the broker no longer has cannot be read: the stream goes on behind it, and the gap stays known."""

import struct
from pathlib import Path

import psycopg
import pytest
from confluent_kafka.admin import NewTopic
from kafka_broker import RunningBroker
from streamed import Shop, sale

from lastmile.errors import UserError
from lastmile.store import Store
from lastmile.streaming.status import statuses


@pytest.fixture
def shop(killable_kafka: RunningBroker, database_url: str, store: Store) -> Shop:
    return Shop(killable_kafka, database_url, store)


def delete_before(shop: Shop, offset: int) -> None:
    """What retention does, at once: the broker's file of the topic begins at that offset."""
    shop.kafka.kill()
    (file,) = Path(shop.kafka.folder / "topics" / shop.topic / "0").glob("*.log")
    data, place = file.read_bytes(), 0
    while struct.unpack_from(">q", data, place)[0] < offset:
        place += 12 + struct.unpack_from(">i", data, place + 8)[0]
    assert struct.unpack_from(">q", data, place)[0] == offset, "the batches were cut otherwise"
    file.unlink()
    file.with_name(f"{offset:020}.log").write_bytes(data[place:])
    shop.kafka.start()


@pytest.mark.parametrize("lands", [False, True])
def test_deleted_messages_are_passed_over_and_recorded(shop: Shop, lands: bool) -> None:
    shop.send(*(sale(number, number) for number in range(10)))
    assert shop.read(lands=lands) == 10
    shop.send(*(sale(number, number) for number in range(10, 20)))
    shop.send(*(sale(number, number) for number in range(20, 30)))
    delete_before(shop, 20)
    assert shop.read(lands=lands) == 10
    (found,) = statuses(psycopg.connect(shop.database_url))
    assert (found.events, found.gone, found.unlanded) == (20, 10, 0 if lands else None)
    assert shop.read(lands=lands) == 0


def test_a_topic_that_was_made_anew_is_not_read_as_if_it_were_the_same(shop: Shop) -> None:
    shop.send(*(sale(number, number) for number in range(10)))
    assert shop.read() == 10
    admin = shop.kafka.admin()
    admin.delete_topics([shop.topic])[shop.topic].result(10)
    admin.create_topics([NewTopic(shop.topic, 1, 1)])[shop.topic].result(10)
    shop.send(sale(99))
    with pytest.raises(UserError, match="ends at 1 and was read up to 10: the topic was made anew"):
        shop.read()
