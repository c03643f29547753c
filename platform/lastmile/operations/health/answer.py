"""What a process that serves HTTP for machines only answers on `/health/live` and `/health/ready`, as the watcher."""

import json
from collections.abc import Callable
from http import HTTPStatus

#: Says what is missing, in sentences; nothing where the process is ready.
Missing = Callable[[], list[str]]


def answer(path: str, missing: Missing = list) -> tuple[HTTPStatus, bytes] | None:
    """Status and JSON for the path of a request; None where that is another."""
    match path.partition("?")[0]:
        case "/health/live":
            return HTTPStatus.OK, json.dumps({"status": "alive"}).encode()
        case "/health/ready":
            found = missing()
            if found:
                return HTTPStatus.SERVICE_UNAVAILABLE, json.dumps({"detail": "; ".join(found)}).encode()
            return HTTPStatus.OK, json.dumps({"status": "ready"}).encode()
        case _:
            return None
