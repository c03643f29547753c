"""The SQS queue that a bucket's notifications go to: reaching it, waiting on it, and its length."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lastmile.errors import UserError

#: Limit of SQS for one request's wait.
_LONGEST_WAIT_SECONDS = 20


def waiting(queue_url: str) -> Iterator[bool]:
    """Whether a message is in the queue, for ever: at once when one comes, else every 20 seconds. It stays there.

    Raises UserError where the queue cannot be read. Each yield counts as a receipt of the message that is there.
    """
    queue = client(queue_url)
    while True:
        with user_errors(queue_url):
            answer = queue.receive_message(
                QueueUrl=queue_url, MaxNumberOfMessages=1, WaitTimeSeconds=_LONGEST_WAIT_SECONDS, VisibilityTimeout=0
            )
        yield bool(answer.get("Messages"))


def queue_depth(queue_url: str) -> int:
    """The approximate number of messages in the queue. Raises UserError where it cannot be read."""
    name = "ApproximateNumberOfMessages"
    with user_errors(queue_url):
        answer = client(queue_url).get_queue_attributes(QueueUrl=queue_url, AttributeNames=[name])
    return int(answer["Attributes"][name])


def client(queue_url: str) -> Any:
    """A client of SQS in the region that the address names. Raises UserError where none can be made."""
    import boto3
    from botocore.config import Config

    region = re.search(r"//sqs\.([a-z0-9-]+)\.", queue_url)
    config = Config(connect_timeout=3, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 3})
    with user_errors(queue_url):
        return boto3.client("sqs", region_name=region and region[1], config=config)


@contextmanager
def user_errors(queue_url: str) -> Iterator[None]:
    """What goes wrong with the queue as a UserError that names it."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise UserError(f"cannot read the queue {queue_url}: {error}; check LASTMILE_NOTIFICATIONS_URL") from error
