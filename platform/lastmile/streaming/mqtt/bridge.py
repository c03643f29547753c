"""Carries messages of an MQTT broker into a topic, with QoS 1 on the way in and idempotent on the way out.

A message is acknowledged to its broker when Kafka has acknowledged it, and is in the producer's journal until then.
What is on its way when this process ends, or either broker, is sent again from there, and delivered again by a broker
that keeps to the protocol: a contract with a key counts it once. The session at the broker is kept, which holds what is
published while this process is away.
"""

import asyncio
import logging
import random
import ssl
from collections.abc import Callable
from functools import partial

import aiomqtt
from aiomqtt.types import PayloadType

from lastmile.client import AsyncProducer
from lastmile.settings.mqtt import MqttSettings
from lastmile.streaming.declarations.connectors import Mqtt
from lastmile.streaming.mqtt.messages import value_of

log = logging.getLogger(__name__)

_FIRST_SECONDS, _LONGEST_SECONDS = 0.5, 30.0
_LAST_SECONDS = 10.0
_QOS = 1


class Bridge:
    """One connector at work; `stop` may be called by a signal."""

    def __init__(self, connector: Mqtt, settings: MqttSettings, producer: AsyncProducer) -> None:
        self._connector, self._settings, self._producer = connector, settings, producer
        self._stopping = asyncio.Event()
        self.carried = 0

    def stop(self) -> None:
        self._stopping.set()

    async def run(self) -> None:
        """Until it is stopped; connects again whenever the connection ends. Raises UserError where no broker is set."""
        failures = 0
        while not self._stopping.is_set():
            client = self._client()
            try:
                async with client:
                    await client.subscribe([(topic, _QOS) for topic in self._connector.topics])
                    log.info("%s is connected to %s", self._connector.name, self._settings.url)
                    failures = 0
                    await self._carry(client)
            except aiomqtt.MqttError as error:
                wait = random.uniform(0, min(_LONGEST_SECONDS, _FIRST_SECONDS * 2**failures))  # noqa: S311  # no secret
                failures = min(failures + 1, 20)
                log.warning("%s: %s; connecting again in %.1f s", self._connector.name, error, wait)
                await self._pause(wait)

    async def _carry(self, client: aiomqtt.Client) -> None:
        stopping = asyncio.ensure_future(self._stopping.wait())
        messages = aiter(client.messages)
        try:
            while True:
                following = asyncio.ensure_future(anext(messages))
                await asyncio.wait({following, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if not following.done():
                    following.cancel()
                    break
                await self._send(client, following.result())
        finally:
            stopping.cancel()
        await self._producer.wait(seconds=_LAST_SECONDS)
        await asyncio.sleep(0)  # the last are acknowledged

    async def _send(self, client: aiomqtt.Client, message: aiomqtt.Message) -> None:
        topic, loop = message.topic.value, asyncio.get_running_loop()
        value = value_of(topic, _bytes(message.payload), self._connector.columns)
        place = await self._producer.send_bytes(value, key=topic)
        acknowledge = partial(self._acknowledge, client, message.mid, message.qos)
        self._producer.producer.call_when_acknowledged(place, partial(_in_loop, loop, acknowledge))

    def _acknowledge(self, client: aiomqtt.Client, number: int, qos: int) -> None:
        """Of a connection that has ended meanwhile it comes again."""
        self.carried += 1
        if qos and client._client.is_connected():
            client._client.ack(number, qos)

    def _client(self) -> aiomqtt.Client:
        host, port, by_tls = self._settings.address
        made = aiomqtt.Client(
            host,
            port,
            username=self._settings.username,
            password=self._settings.password,
            identifier=f"lastmile-{self._connector.name}",
            clean_session=False,
            tls_context=self._tls() if by_tls else None,
        )
        made._client.manual_ack_set(True)  # aiomqtt has no word of its own for it
        return made

    def _tls(self) -> ssl.SSLContext:
        given = self._settings
        context = ssl.create_default_context(cafile=str(given.ca) if given.ca else None)
        if given.certificate:
            context.load_cert_chain(given.certificate, given.key)
        return context

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return


def _in_loop(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(call)


def _bytes(payload: PayloadType) -> bytes:
    """As it is when it comes from a broker."""
    return payload if isinstance(payload, bytes) else str(payload or "").encode()
