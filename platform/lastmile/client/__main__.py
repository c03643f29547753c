"""The client from a shell, for cron jobs and phones with a terminal."""

import argparse
import json
import os
import sys
from pathlib import Path

from lastmile.client.answers import SignInRefused
from lastmile.client.client import Client

_EXAMPLE = """
example:
  export LASTMILE_KEY=lm_...
  echo '{"visit": "v1", "persons": 3}' | python -m lastmile.client submit --queue q.db --dataset visits --partition 2024
  python -m lastmile.client upload --queue q.db --dataset visits --partition 2024 visits.csv
  python -m lastmile.client send --url https://lastmile.example.org --queue q.db --max-seconds 60
  python -m lastmile.client pending --queue q.db
  tail -F app.log | python -m lastmile.client produce --servers kafka:9092 --topic app_log --journal journal
"""
_PRODUCE_EXAMPLE = """
example:
  echo '{"page": "/", "at": "2026-03-01T12:00:00Z"}' |
    python -m lastmile.client produce --servers kafka:9092 --topic page_views --journal journal
"""


def main(arguments: list[str] | None = None) -> int:
    """0 where all is well, 1 where something still waits or was refused, 2 where the command cannot be carried out."""
    given = _parser().parse_args(arguments)
    try:
        if given.call is _produce:
            return _produce(given)
        with Client(given.url, given.key, given.queue) as client:
            return int(given.call(client, given))
    except (OSError, ValueError, SignInRefused) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 1


def _submit(client: Client, given: argparse.Namespace) -> int:
    """Each line of the standard input is a record."""
    for line in sys.stdin:
        if line.strip():
            record = json.loads(line)
            if not isinstance(record, dict):
                raise ValueError(f"expected a JSON object on each line, found {line.strip():.100}")
            print(client.submit(given.dataset, record, given.partition).record_id)
    return 0


def _upload(client: Client, given: argparse.Namespace) -> int:
    for file in given.files:
        print(client.upload(given.dataset, file, given.partition).record_id)
    return 0


def _send(client: Client, given: argparse.Namespace) -> int:
    sent = client.send(given.max_seconds)
    print(f"{sent.accepted} accepted, {sent.refused} refused, {sent.waiting} waiting")
    if sent.why:
        print(f"the last try: {sent.why}", file=sys.stderr)
    return 1 if sent.waiting or sent.refused else 0


def _pending(client: Client, _: argparse.Namespace) -> int:
    waiting, refused = client.pending(), client.refused()
    for receipt in waiting:
        print(f"waiting  {receipt.dataset} {receipt.partition or '-'} {receipt.record_id}")
    for one in refused:
        print(f"refused  {one.receipt.dataset} {one.receipt.record_id}: {one.problem.status} {one.problem.detail}")
    return 1 if waiting or refused else 0


def _produce(given: argparse.Namespace) -> int:
    """Each line of the standard input is an event; those that are none are said, and left out."""
    from lastmile.client import InvalidEvent, Producer, Schema

    schema = Schema.of_registry(given.registry, f"{given.topic}-value") if given.registry else None
    with Producer(given.servers, given.topic, given.journal, schema, given.format) as producer:
        for number, line in enumerate(sys.stdin, 1):
            try:
                if line.strip():
                    producer.send(json.loads(line))
            except (InvalidEvent, ValueError) as error:
                print(f"line {number}: {error}", file=sys.stderr)
                producer.metrics.refused()
        producer.wait(seconds=given.max_seconds)
        found = producer.metrics
    print(
        f"{found.sent} sent, {found.failed} refused by the broker, {found.invalid} lines that are no events,"
        f" {found.queued} waiting"
    )
    return 1 if found.failed or found.invalid or found.queued else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lastmile.client",
        description="Submit to Lastmile by a queue on disk, whether there is a network or not.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    for name, call, said in (
        ("submit", _submit, "queue records: JSON objects, one a line of the standard input"),
        ("upload", _upload, "queue files"),
        ("send", _send, "send what waits"),
        ("pending", _pending, "show what waits and what was refused"),
    ):
        command = commands.add_parser(name, help=said, description=said)
        command.set_defaults(call=call, url="", key="")
        command.add_argument("--queue", type=Path, required=True, help="the file of the queue; made if it is not there")
        if call in (_submit, _upload):
            command.add_argument("--dataset", required=True)
            command.add_argument("--partition", help="such as 2024; unless given, that of the day it is sent")
        if call is _upload:
            command.add_argument("files", nargs="+", type=Path)
        if call is _send:
            command.add_argument("--url", required=True, help="such as https://lastmile.example.org")
            command.add_argument("--key", default=os.environ.get("LASTMILE_KEY", ""), help="or LASTMILE_KEY is set")
            command.add_argument("--max-seconds", type=float, help="unless given, until nothing waits")
    produce = commands.add_parser(
        "produce",
        help=_PRODUCE,
        description=_PRODUCE,
        epilog=_PRODUCE_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_produce(produce)
    return parser


def _add_produce(command: argparse.ArgumentParser) -> None:
    command.set_defaults(call=_produce)
    command.add_argument("--servers", required=True, help="the Kafka cluster, such as kafka-1:9092,kafka-2:9092")
    command.add_argument("--topic", required=True, help="that of the stream: `lastmile stream list` shows it")
    command.add_argument("--journal", type=Path, required=True, help="a folder; made if it is not there")
    command.add_argument("--registry", help="address of a schema registry: events are held to the topic's schema")
    command.add_argument(
        "--format",
        choices=("json", "avro", "arrow"),
        default="json",
        help="json or avro: a message for each event; arrow: many events a message",
    )
    command.add_argument("--max-seconds", type=float, default=60.0, help="to wait for the broker at the end")


_PRODUCE = "send events to Kafka: JSON objects, one a line of the standard input"


if __name__ == "__main__":
    sys.exit(main())
