"""From one page to the next, as the source declares; pages that do not end, or came half, are found out."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import httpx

from lastmile.errors import UserError
from lastmile.sources.declarations.pagination import LinkHeader, NextCursor, Offset, PageNumber
from lastmile.sources.declarations.rest import Rest
from lastmile.sources.fetching import Report
from lastmile.sources.repeats import digest
from lastmile.sources.rest.client import Answer, Client

#: Pages behind a cursor may be alike, such as two of one record; so many in a row are one page again and again.
_MOST_ALIKE = 3


class Request(NamedTuple):
    """Where a page is; `number` is its place among the pages of the fetch, `records` came before it."""

    url: str
    params: Mapping[str, str]
    number: int = 1
    records: int = 0

    @property
    def name(self) -> str:
        return f"page {self.number}"

    def then(self, answer: Answer, url: str | None = None, **params: str) -> "Request":
        """The next one: elsewhere, or here with other parameters."""
        records = self.records + len(answer.page.records)
        return Request(url or self.url, {} if url else {**self.params, **params}, self.number + 1, records)


def pages(source: Rest, client: Client, params: Mapping[str, str], report: Report) -> Iterator[Answer]:
    """All pages. Raises UserError where they do not end, or end before what they say of themselves."""
    first = Request(f"{client.base}{source.path}", {**params, **_first_params(source)})
    found = _walk(source, client, first)
    if isinstance(source.pages, PageNumber) and source.pages.size:
        found = _made_whole(source.pages.size, client, found, report)
    for _, answer in found:
        yield answer


def _first_params(source: Rest) -> dict[str, str]:
    match source.pages:
        case PageNumber() as declared:
            sized = {declared.size_parameter: str(declared.size)} if declared.size_parameter and declared.size else {}
            return {declared.parameter: str(declared.first), **sized}
        case Offset() as declared:
            sized = {declared.limit_parameter: str(declared.limit)} if declared.limit_parameter else {}
            return {declared.parameter: "0", **sized}
        case _:
            return {}


def _walk(source: Rest, client: Client, first: Request) -> Iterator[tuple[Request, Answer]]:
    request: Request | None = first
    places, before, alike = {_place(first)}, b"", 0
    most_alike = 1 if isinstance(source.pages, PageNumber | Offset) else _MOST_ALIKE
    while request:
        answer = client.get(request.url, request.params, request.name)
        content = digest(b"\n".join(record.line for record in answer.page.records))
        alike = alike + 1 if answer.page.records and content == before else 0
        if alike >= most_alike:
            raise _endless(source, f"{request.name} has the same records as the one before")
        before = content
        yield request, answer
        request = _next(source, client, request, answer)
        if request and _place(request) in places:
            raise _endless(source, f"{request.name} is one that was there before")
        if request and request.number > source.most_pages:
            raise _endless(source, f"there are more than {source.most_pages:,} pages (`most_pages`)")
        places |= {_place(request)} if request else set()


def _next(source: Rest, client: Client, request: Request, answer: Answer) -> Request | None:
    page, count = answer.page, len(answer.page.records)
    match source.pages:
        case PageNumber() as declared:
            of = _count(source, page.at(declared.pages), declared.pages) if declared.pages else None
            _expect_more(source, request, count, of is not None and request.number < of, f"of {of} pages")
            number = declared.first + request.number
            is_last = not count or (of is not None and request.number >= of)
            return None if is_last else request.then(answer, **{declared.parameter: str(number)})
        case Offset() as declared:
            of = _count(source, page.at(declared.total), declared.total) if declared.total else None
            there = request.records + count
            _expect_more(source, request, count, of is not None and there < of, f"{there:,} of {of} records came")
            is_last = not count or (of is not None and there >= of)
            return None if is_last else request.then(answer, **{declared.parameter: str(there)})
        case NextCursor() as declared:
            token = page.at(declared.path)
            if token in (None, "", False):
                return None
            if declared.parameter:
                return request.then(answer, **{declared.parameter: str(token)})
            return request.then(answer, _same_server(source, client, answer, str(token)))
        case LinkHeader():
            link = answer.next_link
            return request.then(answer, _same_server(source, client, answer, link)) if link else None
    return None


def _made_whole(
    size: int, client: Client, found: Iterator[tuple[Request, Answer]], report: Report
) -> Iterator[tuple[Request, Answer]]:
    """A page with fewer records than its size is the last one, or half: then it is requested once more."""
    short: tuple[Request, Answer] | None = None
    for request, answer in found:
        if short:
            yield _whole(client, *short, report) if answer.page.records else short
        is_short = len(answer.page.records) < size
        short = (request, answer) if is_short else None
        if not is_short:
            yield request, answer
    if short:
        yield short


def _whole(client: Client, request: Request, half: Answer, report: Report) -> tuple[Request, Answer]:
    again = client.get(request.url, request.params, request.name)
    had, has = len(half.page.records), len(again.page.records)
    if has > had:
        report.event(f"{request.name}: came with {had} records, though more pages follow; requested again, with {has}")
    return request, again if has > had else half


def _place(request: Request) -> bytes:
    return digest(repr((request.url, sorted(request.params.items()))).encode())


def _count(source: Rest, value: Any, path: str) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        raise UserError(
            f"source {source.name}: expected a number at {path!r}, found {str(value)[:40]!r}; correct `pages`"
        ) from None


def _expect_more(source: Rest, request: Request, count: int, more: bool, said: str) -> None:
    if more and not count:
        raise UserError(
            f"source {source.name}: {request.name} is empty, though the server says that more follow ({said}). Nothing"
            " was landed; run it again"
        )


def _same_server(source: Rest, client: Client, answer: Answer, link: str) -> str:
    """The address of a next page; on another server it would get the key of this one."""
    to, here = answer.url.join(link), httpx.URL(client.base)
    if (to.scheme, to.host, to.port) != (here.scheme, here.host, here.port):
        raise UserError(
            f"source {source.name}: expected the next page on {here.scheme}://{here.netloc.decode()}, found"
            f" {client.judge.clean(str(to))}; if that is the same server, give it as `url`"
        )
    return str(to)


def _endless(source: Rest, why: str) -> UserError:
    return UserError(f"source {source.name}: its pages do not end: {why}. Nothing was landed; correct `pages`")
