"""Discovery by notification: those of an S3 bucket, read from an SQS queue, find drops before the next listing.

A notification is only a hint to inspect a key: whatever it says, the object stored now is registered. So it may arrive
twice, late, out of order or never; the next listing of the landing area corrects what was missed. A message is deleted
from the queue only after what it led to is committed; an unintelligible one is logged and deleted too.
"""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote_plus

from psycopg import Connection

from lastmile.contracts.contract import Contract
from lastmile.ingestion.discovery.listing import register_objects
from lastmile.store import Missing, Store, StoredObject
from lastmile.store.landing import LANDING, is_unfinished, name_problem
from lastmile.store.queue import client, user_errors

logger = logging.getLogger(__name__)

#: Messages read in one call; the next calls read on, and a listing discovers everything at once.
MAX_MESSAGES = 500
#: Limit of SQS for one request.
_BATCH_MESSAGES = 10
#: A message not deleted within this time is delivered again.
_VISIBILITY_SECONDS = 120


def drain(connection: Connection, store: Store, contracts: Mapping[str, Contract], queue_url: str) -> int:
    """Register the objects that the queue's messages name, MAX_MESSAGES at most; returns how many drops were new.

    Raises UserError where the queue cannot be read.
    """
    queue = client(queue_url)
    new = 0
    for _ in range(MAX_MESSAGES // _BATCH_MESSAGES):
        with user_errors(queue_url):
            answer = queue.receive_message(
                QueueUrl=queue_url, MaxNumberOfMessages=_BATCH_MESSAGES, VisibilityTimeout=_VISIBILITY_SECONDS
            )
        messages = answer.get("Messages", [])
        if not messages:
            break
        keys = {key for message in messages for key in keys_in(message["Body"], store.url)}
        new += register_objects(connection, store, contracts, _stored(store, sorted(keys)))
        with user_errors(queue_url):
            queue.delete_message_batch(
                QueueUrl=queue_url,
                Entries=[
                    {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                    for number, message in enumerate(messages)
                ],
            )
    return new


def keys_in(body: str, store_url: str) -> list[str]:
    """Keys of the landing area in a message: sent by S3 itself, through SNS, or through EventBridge."""
    bucket, _, prefix = store_url.removeprefix("s3://").partition("/")
    root = f"{prefix}/" if prefix else ""
    try:
        named = [(str(of), str(key)) for of, key in _named(json.loads(body))]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        logger.warning(
            "a message that is not a notification of a bucket was deleted from the queue: %s: %.200s", error, body
        )
        return []
    foreign = sorted({other for other, _ in named if other != bucket})
    if foreign:
        logger.warning(
            "notifications of other buckets than %s were deleted from the queue: %s", bucket, ", ".join(foreign)
        )
    keys = [key.removeprefix(root) for of, key in named if of == bucket and key.startswith(root + LANDING)]
    return [key for key in keys if not is_unfinished(key)]


def _named(message: Any) -> Iterator[tuple[str, str]]:
    """Bucket and key of each object in a message. Raises KeyError and the like where it has another shape."""
    if message.get("Type") == "Notification":
        yield from _named(json.loads(message["Message"]))
    elif message.get("source") == "aws.s3":
        yield message["detail"]["bucket"]["name"], message["detail"]["object"]["key"]
    elif message.get("Event") != "s3:TestEvent":
        for record in message["Records"]:
            yield record["s3"]["bucket"]["name"], unquote_plus(record["s3"]["object"]["key"])


def _stored(store: Store, keys: Sequence[str]) -> Iterator[StoredObject]:
    """The objects stored now. An invalid name is left to the next listing, which registers it with the reason."""
    for key in keys:
        if name_problem(key):
            continue
        try:
            yield store.head(key)
        except Missing:
            continue
