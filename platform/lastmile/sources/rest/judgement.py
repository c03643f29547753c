"""Whether an answer is one, is worth another attempt, or is final; said without secrets."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import quote, quote_plus

import httpx

from lastmile.errors import UserError
from lastmile.settings.given import without_password

_WORDS = 200
_HINTS = {
    400: "correct its `params`",
    401: "check the setting of its key",
    403: "check the setting of its key, and what that may read",
    404: "correct `url` and `path`",
    422: "correct its `params`",
}


class Again(Exception):
    """A request that is worth another attempt, after so many seconds if the server says so."""

    def __init__(self, problem: str, after: float | None = None) -> None:
        super().__init__(problem)
        self.after = after


@dataclass(frozen=True)
class Judge:
    """Of the answers to one source, in whose messages none of its secrets may be."""

    source: str
    secrets: tuple[str, ...]

    def clean(self, text: str) -> str:
        """Without secrets."""
        for secret in self.secrets:
            for form in {secret, quote(secret, safe=""), quote_plus(secret)}:
                text = text.replace(form, "***")
        return without_password(text)

    def words(self, text: str) -> str:
        """How a text begins."""
        return self.clean(" ".join(text[: 10 * _WORDS].split()))[:_WORDS]

    def expect_success(self, response: httpx.Response, text: str, what: str) -> None:
        """Raises Again, or UserError where the same request would be refused again."""
        if response.is_success:
            return
        words = self.words(text)
        said = f"{response.status_code} {response.reason_phrase}".strip() + (f", {words!r}" if words else "")
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS or response.is_server_error:
            raise Again(said, retry_after(response))
        address = self.clean(str(response.request.url))
        if response.is_redirect:
            to = self.clean(response.headers.get("Location", ""))
            raise UserError(f"source {self.source}: {address} redirects to {to}; give that as its `url` if it is meant")
        hint = _HINTS.get(response.status_code, "correct the source, or find out from those who run the API")
        raise UserError(f"source {self.source}: {what}: {address} answers {said}; {hint}")


def retry_after(response: httpx.Response) -> float | None:
    """Seconds that the server wants to pass: given as such, or as a date of HTTP. None where it says neither."""
    said: str = response.headers.get("Retry-After", "").strip()
    if said.isdecimal():
        return float(said)
    try:
        moment = parsedate_to_datetime(said)
    except (ValueError, TypeError):
        return None
    passed: timedelta = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - datetime.now(UTC)
    return max(0.0, passed.total_seconds())
