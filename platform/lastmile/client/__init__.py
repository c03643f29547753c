"""A client for devices that are offline for hours or days: what is submitted is kept on disk until the API has it.

    from lastmile.client import Client

    with Client("https://lastmile.example.org", key="lm_...", queue=Path("queue.db")) as client:
        receipt = client.submit("visits", {"visit": "v1", "persons": 3}, partition="2024")
        client.edit("visits", receipt.record_id, {"visit": "v1", "persons": 4}, partition="2024")
        client.upload("visits", Path("visits.csv"), partition="2024")
        client.send(max_seconds=60)

It needs httpx and nothing else of Lastmile. What it promises: a submission is durable when `submit` returns, whatever
happens to the process; it arrives exactly once, however often the network fails; the revisions of a record arrive in
order; memory does not grow with the queue.

Applications that send events to Kafka have `Producer` and `AsyncProducer`, with the extra `kafka`; see `producing`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lastmile.client.answers import Problem, SignInRefused, Unreachable
from lastmile.client.client import Client, Sent, Status
from lastmile.client.outbox import Receipt, Refused

if TYPE_CHECKING:
    from lastmile.client.producing.asynchronous import AsyncProducer
    from lastmile.client.producing.journal import BufferFull, Locked
    from lastmile.client.producing.producer import Producer
    from lastmile.client.producing.schemas import InvalidEvent, Schema

__all__ = [
    "AsyncProducer",
    "BufferFull",
    "Client",
    "InvalidEvent",
    "Locked",
    "Problem",
    "Producer",
    "Receipt",
    "Refused",
    "Schema",
    "Sent",
    "SignInRefused",
    "Status",
    "Unreachable",
]

_OF_KAFKA = {
    "AsyncProducer": "asynchronous",
    "BufferFull": "journal",
    "InvalidEvent": "schemas",
    "Locked": "journal",
    "Producer": "producer",
    "Schema": "schemas",
}


def __getattr__(name: str) -> Any:
    """What needs more than httpx is imported when it is first used."""
    if name not in _OF_KAFKA:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"{__name__}.producing.{_OF_KAFKA[name]}"), name)
    except ModuleNotFoundError as error:
        raise ImportError(f"{name} needs {error.name}: pip install 'lastmile-client[kafka]'") from None
