"""The bridge from an MQTT broker: acknowledged there only when Kafka has it, connected again whenever it was not."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Message, TopicPartition
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from kafka_broker import RunningBroker
from mqtt_broker import RunningMqtt, running_mosquitto, running_mqtt

from lastmile.client import AsyncProducer
from lastmile.errors import UserError
from lastmile.settings.mqtt import MqttSettings
from lastmile.streaming.declarations.connectors import Mqtt
from lastmile.streaming.mqtt.bridge import Bridge
from lastmile.streaming.mqtt.messages import value_of

STATIONS = Mqtt(
    name="stations",
    description="Readings.",
    owner="team:air",
    stream="air_readings",
    topics=("stations/+/air",),
    columns=(None, "station", None),
)


def messages_of(kafka: RunningBroker, topic: str) -> list[Message]:
    consumer = Consumer({"bootstrap.servers": kafka.servers, "group.id": "watermarks"})
    _, end = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=30)
    consumer.close()
    return kafka.read(topic, end)


def readings(kafka: RunningBroker, topic: str) -> list[int]:
    return [json.loads(one.value())["n"] for one in messages_of(kafka, topic)]


def payloads(*numbers: int) -> list[bytes]:
    return [json.dumps({"n": number}).encode() for number in numbers]


@pytest.fixture
def mqtt(tmp_path: Path) -> Iterator[RunningMqtt]:
    (tmp_path / "mqtt").mkdir()
    with running_mqtt(tmp_path / "mqtt") as broker:
        yield broker


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[RunningMqtt]:
    with running_mosquitto(tmp_path) as broker:
        yield broker


@asynccontextmanager
async def bridging(
    servers: str, topic: str, settings: MqttSettings, journal: Path, discard: bool = False
) -> AsyncIterator[Bridge]:
    """The bridge at work; it is broken off at the end, as by a death."""
    producer = AsyncProducer(servers, topic, journal, discard=discard)
    bridge = Bridge(STATIONS, settings, producer)
    work = asyncio.create_task(bridge.run())
    try:
        yield bridge
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        await producer.close(0.0)


async def until(holds, seconds: float = 30) -> None:
    deadline = asyncio.get_running_loop().time() + seconds
    while not holds():
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.05)


def test_a_message_has_the_columns_that_its_topic_says() -> None:
    columns = (None, "station", None)
    assert json.loads(value_of("stations/north/air", b'{"n": 1}', columns)) == {"n": 1, "station": "north"}
    assert value_of("stations/north/air", b"not JSON", columns) == b"not JSON"
    assert value_of("stations/north/air", b"[1]", columns) == b"[1]"
    assert value_of("stations/north/air", b'{"n":  1}', ()) == b'{"n":  1}'


def test_messages_are_carried_in_their_order_keyed_by_their_topic(
    kafka: RunningBroker, mqtt: RunningMqtt, tmp_path: Path
) -> None:
    topic = kafka.new_topic()

    async def carried() -> None:
        async with bridging(kafka.servers, topic, MqttSettings(url=mqtt.url), tmp_path / "journal") as bridge:
            await _subscribed(mqtt, bridge)
            await asyncio.to_thread(mqtt.publish, "stations/north/air", [*payloads(*range(1, 50)), b"not JSON"])
            await asyncio.to_thread(mqtt.publish, "stations/north/noise", payloads(99))
            await until(lambda: bridge.carried == 51)

    asyncio.run(carried())
    found = messages_of(kafka, topic)
    assert [json.loads(one.value())["n"] for one in found[:-1]] == list(range(50))
    assert json.loads(found[0].value())["station"] == "north"
    assert (found[0].key(), found[-1].value()) == (b"stations/north/air", b"not JSON")


def test_what_kafka_has_not_acknowledged_is_delivered_to_the_next_bridge(
    killable_kafka: RunningBroker, mosquitto: RunningMqtt, tmp_path: Path
) -> None:
    """Also where the journal of the first one is lost."""
    topic = killable_kafka.new_topic()
    asyncio.run(_broken_off(killable_kafka, mosquitto, topic, tmp_path))
    killable_kafka.start()
    asyncio.run(_started_again(killable_kafka, mosquitto, topic, tmp_path, 5, discard=True))
    assert sorted(filter(None, readings(killable_kafka, topic))) == list(range(1, 6))


def test_what_a_broker_forgets_to_deliver_again_is_sent_from_the_journal(
    killable_kafka: RunningBroker, mqtt: RunningMqtt, tmp_path: Path
) -> None:
    topic = killable_kafka.new_topic()
    asyncio.run(_broken_off(killable_kafka, mqtt, topic, tmp_path))
    killable_kafka.start()
    asyncio.run(_started_again(killable_kafka, mqtt, topic, tmp_path, 0))
    assert sorted(filter(None, readings(killable_kafka, topic))) == list(range(1, 6))


async def _broken_off(kafka: RunningBroker, mqtt: RunningMqtt, topic: str, folder: Path) -> None:
    """A bridge that carries a message of 0, or a few, and then five others while Kafka is away."""
    async with bridging(kafka.servers, topic, MqttSettings(url=mqtt.url), folder / "journal") as bridge:
        await _subscribed(mqtt, bridge)
        kafka.kill()
        await asyncio.sleep(0.2)
        before = bridge.carried
        await asyncio.to_thread(mqtt.publish, "stations/north/air", payloads(*range(1, 6)))
        await asyncio.sleep(1.0)
        assert bridge.carried == before


async def _started_again(
    kafka: RunningBroker, mqtt: RunningMqtt, topic: str, folder: Path, carried: int, discard: bool = False
) -> None:
    async with bridging(kafka.servers, topic, MqttSettings(url=mqtt.url), folder / "journal", discard) as bridge:
        await until(lambda: bridge.carried >= carried)
        assert await bridge._producer.wait(seconds=30)


def test_a_bridge_connects_again_when_the_broker_comes_back(
    kafka: RunningBroker, mqtt: RunningMqtt, tmp_path: Path
) -> None:
    topic = kafka.new_topic()

    async def carried() -> None:
        async with bridging(kafka.servers, topic, MqttSettings(url=mqtt.url), tmp_path / "journal") as bridge:
            await _subscribed(mqtt, bridge)
            mqtt.kill()
            await asyncio.sleep(0.5)
            mqtt.start()
            for number in range(1, 200):
                await asyncio.to_thread(mqtt.publish, "stations/north/air", payloads(number))
                await asyncio.sleep(0.2)
                if bridge.carried > 1:
                    return
            raise AssertionError("it did not connect again")

    asyncio.run(carried())
    assert len(readings(kafka, topic)) > 1


def test_it_signs_in_and_speaks_tls(kafka: RunningBroker, tmp_path: Path) -> None:
    topic = kafka.new_topic()
    certificate, key = _certificate(tmp_path)
    passwords = tmp_path / "passwords"
    passwords.write_text(f"bridge:{_hashed('secret word')}\n")
    plugins = {"amqtt.plugins.authentication.FileAuthPlugin": {"password_file": str(passwords)}}
    listener = {"ssl": True, "certfile": str(certificate), "keyfile": str(key), "cafile": str(certificate)}
    signed_in = {"username": "bridge", "password": "secret word"}
    with running_mqtt(tmp_path, listener, plugins) as mqtt:
        url = f"mqtts://127.0.0.1:{mqtt.port}"
        settings = MqttSettings(url=url, ca=certificate, **signed_in)
        context = ssl.create_default_context(cafile=str(certificate))

        async def carried() -> None:
            async with bridging(kafka.servers, topic, settings, tmp_path / "journal") as bridge:
                await _subscribed(mqtt, bridge, tls_context=context, **signed_in)

        asyncio.run(carried())
    assert readings(kafka, topic)[0] == 0


def test_without_an_address_it_says_which_setting_to_set() -> None:
    with pytest.raises(UserError, match="set LASTMILE_MQTT_URL"):
        _ = MqttSettings().address


async def _subscribed(mqtt: RunningMqtt, bridge: Bridge, **more) -> None:
    """Once a first message was carried."""
    for _ in range(100):
        await asyncio.to_thread(mqtt.publish, "stations/north/air", payloads(0), **more)
        await asyncio.sleep(0.2)
        if bridge.carried:
            return
    raise AssertionError("nothing was carried")


def _hashed(password: str) -> str:
    from pwdlib import PasswordHash

    return str(PasswordHash.recommended().hash(password))


def _certificate(folder: Path) -> tuple[Path, Path]:
    """Of 127.0.0.1, signed by itself."""
    from ipaddress import ip_address

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mqtt of a test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, private = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate, private
