"""Requests to an API, tried again where that may help and nowhere else.

429, 5xx, timeouts, broken connections and answers that are cut off are tried again, with waits that grow and are spread
at random, and never sooner than the server says in Retry-After. Any other refusal is final.
"""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

import httpx
import stamina

from lastmile.errors import Unreachable, UserError
from lastmile.sources.declarations.rest import Rest
from lastmile.sources.declarations.setting import Setting
from lastmile.sources.fetching import Report
from lastmile.sources.rest.authentication import auth_of, secrets_of
from lastmile.sources.rest.judgement import Again, Judge
from lastmile.sources.rest.page import NotWhole, Page, page_of
from lastmile.telemetry.spans import span

_FIRST_WAIT, _LONGEST_WAIT, _JITTER = 0.5, 30.0, 1.0
#: A page may arrive so many times longer than the server may stay silent.
_PAGE_TIMEOUTS = 10


class Answer(NamedTuple):
    """A page, and what came with it."""

    page: Page
    url: httpx.URL
    next_link: str | None
    size: int


class Client:
    """One session with the API of a source."""

    def __init__(self, source: Rest, http: httpx.Client, base: str, judge: Judge, report: Report) -> None:
        self._source, self._http, self._report = source, http, report
        self.base, self.judge = base, judge
        self._next_at = 0.0

    def get(self, url: str, params: Mapping[str, str], what: str) -> Answer:
        """The page of the answer to `what`. Raises UserError, or Unreachable where there may be one later."""
        try:
            return self._attempts(url, params, what)
        except Again as again:
            raise self._given_up(again, what) from None

    def _attempts(self, url: str, params: Mapping[str, str], what: str) -> Answer:
        for attempt in stamina.retry_context(
            self._is_worth_it,
            attempts=self._source.attempts,
            timeout=None,
            wait_initial=_FIRST_WAIT,
            wait_max=_LONGEST_WAIT,
            wait_jitter=_JITTER,
        ):
            with attempt:
                try:
                    with span("sources.request", source=self._source.name):
                        return self._try(url, params, what)
                except Again as again:
                    wanted = f"; the server wants {again.after:,.0f} s to pass" if again.after else ""
                    of = f"attempt {attempt.num} of {self._source.attempts}"
                    self._report.event(f"{what}: {again} ({of}){wanted}")
                    raise
        raise AssertionError("the last attempt returns or raises")

    def _try(self, url: str, params: Mapping[str, str], what: str) -> Answer:
        self._pace()
        self._report.requests += 1
        try:
            with self._http.stream("GET", url, params=dict(params) or None) as response:
                body = self._body(response)
        except httpx.TimeoutException as error:
            silent = f"no answer within {self._source.timeout.total_seconds():g} s"
            raise Again(self.judge.clean(f"{url}: {silent} ({type(error).__name__})")) from None
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise UserError(f"source {self._source.name}: {self.judge.clean(url)} is no address: {error}") from None
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise Again(self.judge.clean(f"{url}: {type(error).__name__}: {error}")) from None
        text = body.decode(response.charset_encoding or "utf-8", "replace").removeprefix("\ufeff")
        self.judge.expect_success(response, text, what)
        link = response.links.get("next", {}).get("url")
        return Answer(self._page(text, body, response, what), response.url, link, len(body))

    def _body(self, response: httpx.Response) -> bytes:
        """All of it, within the limits of a page, also of one that drips."""
        parts, size, most = [], 0, self._source.most_page_bytes
        ends = time.monotonic() + self._source.timeout.total_seconds() * _PAGE_TIMEOUTS
        for part in response.iter_bytes():
            parts.append(part)
            size += len(part)
            if size > most:
                raise UserError(
                    f"source {self._source.name}: expected pages of at most {most:,} bytes, found more; request smaller"
                    " ones, or raise `most_page_bytes` if this is meant"
                )
            if time.monotonic() > ends:
                raise httpx.ReadTimeout("the page does not end")
        return b"".join(parts)

    def _page(self, text: str, body: bytes, response: httpx.Response, what: str) -> Page:
        if response.status_code == httpx.codes.NO_CONTENT:
            return Page()
        if "\ufffd" in text and "\ufffd".encode() not in body:
            self._report.event(f"{what}: has bytes that are no text, each of which stands as U+FFFD now")
        try:
            return page_of(text, self._source.records)
        except NotWhole as error:
            raise Again(f"{error}; it begins {self.judge.words(text)!r}") from None
        except UserError as error:
            raise UserError(f"source {self._source.name}: {what}: {self.judge.clean(str(error))}") from None

    def _is_worth_it(self, error: Exception) -> bool | float:
        if not isinstance(error, Again):
            return False
        if not error.after:
            return True
        return error.after if error.after <= self._source.longest_wait.total_seconds() else False

    def _given_up(self, again: Again, what: str) -> Unreachable:
        name, longest = self._source.name, self._source.longest_wait.total_seconds()
        if again.after is not None and again.after > longest:
            return Unreachable(
                f"source {name}: {what}: {again}; the server wants {again.after:,.0f} s to pass, more than"
                f" `longest_wait` ({longest:,.0f} s); run it again after that"
            )
        return Unreachable(
            f"source {name}: {what}: {again}; given up after {self._source.attempts} attempts, run it later"
        )

    def _pace(self) -> None:
        """Waits until the declared rate allows another request."""
        if self._source.requests_per_second is None:
            return
        now = time.monotonic()
        if now < self._next_at:
            time.sleep(self._next_at - now)
        self._next_at = max(now, self._next_at) + 1 / self._source.requests_per_second


@contextmanager
def client_of(source: Rest, report: Report) -> Iterator[Client]:
    """Raises UserError where a setting of the source is missing or no address."""
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs each address, with the keys in it
    stamina.instrumentation.set_on_retry_hooks(())  # it prints what are events of the run here
    base = source.url.value() if isinstance(source.url, Setting) else source.url
    if not base.startswith(("http://", "https://")):
        where = source.url.name if isinstance(source.url, Setting) else "its `url`"
        raise UserError(f"source {source.name}: {where} is no address; expected one of http:// or https://")
    judge = Judge(source.name, secrets_of(source.authentication))
    auth = auth_of(source.authentication, judge)
    headers = {"Accept": "application/json", "User-Agent": "lastmile", **source.headers}
    timeout = httpx.Timeout(source.timeout.total_seconds())
    with httpx.Client(auth=auth, headers=headers, timeout=timeout, follow_redirects=False) as http:
        yield Client(source, http, base.rstrip("/"), judge, report)
