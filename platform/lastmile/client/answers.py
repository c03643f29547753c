"""What an answer of the API means to who sent something: accepted, refused for good, or to be tried again.

Only the API's own words count. A hotspot's sign-in page, a proxy's error and an answer cut short say nothing about the
submission, so it is sent again.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

#: Refusals that are not about what was sent.
_PASSING = (408, 425, 429)
_PROBLEM = "application/problem+json"


@dataclass(frozen=True)
class Problem:
    """Why the API refuses, as it says it (RFC 9457)."""

    status: int
    detail: str


class Unreachable(Exception):
    """No answer of the API. `wait` is how many seconds it wants to be left alone, if it says."""

    def __init__(self, why: str, wait: float = 0.0) -> None:
        super().__init__(why)
        self.wait = wait


class RefusedForGood(Exception):
    """The API does not accept it, now or later."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


class SignInRefused(Exception):
    """The key is not valid, or no longer. What is queued stays, to be sent with another key."""


def request(http: httpx.Client, method: str, url: str, expected: int, **more: Any) -> httpx.Response:
    """The answer, of the status expected. Raises Unreachable, RefusedForGood or SignInRefused."""
    try:
        answer = http.request(method, url, **more)
    except httpx.HTTPError as error:
        raise Unreachable(f"{type(error).__name__}: {error}") from None
    if answer.status_code == expected:
        return answer
    found = _problem(answer)
    if found is None or found.status >= 500 or found.status in _PASSING:
        why = found.detail if found else f"expected an answer of the API, found {answer.status_code} of another kind"
        raise Unreachable(f"{answer.status_code}: {why}", _wait(answer))
    if found.status == 401:
        raise SignInRefused(found.detail)
    raise RefusedForGood(found)


def fields(answer: httpx.Response) -> dict[str, Any]:
    """The JSON object of an answer. Raises Unreachable for anything else."""
    try:
        found = answer.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Unreachable("expected a JSON object, found something else; another server answers at this address")
    return found


def _problem(answer: httpx.Response) -> Problem | None:
    if answer.status_code < 400:
        return None
    if answer.request.method == "HEAD":  # its answer has no body by which to tell
        return Problem(answer.status_code, answer.reason_phrase) if answer.status_code in (401, 404, 410) else None
    if not answer.headers.get("content-type", "").startswith(_PROBLEM):
        return None
    try:
        return Problem(answer.status_code, str(json.loads(answer.content)["detail"]))
    except (ValueError, KeyError, TypeError):
        return None


def _wait(answer: httpx.Response) -> float:
    said = answer.headers.get("retry-after", "")
    if said.isdecimal():
        return float(said)
    try:
        until = parsedate_to_datetime(said)
    except ValueError:
        return 0.0
    wait: float = (until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return max(0.0, wait)
