"""How a REST source gets from one page to the next. An empty page is always the last one."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class PageNumber:
    """`?page=1`, `?page=2`, ... until a page is empty, or all of the total are there."""

    parameter: str = "page"
    first: int = 1
    size_parameter: str | None = None
    size: int | None = None
    #: Path in the answer of the number of all pages, where it says so: saves the request of the empty page.
    pages: str | None = None


@dataclass(frozen=True, kw_only=True)
class Offset:
    """`?offset=0&limit=100`, then as many further as came, until a page is empty, or all of the total are there."""

    parameter: str = "offset"
    limit_parameter: str | None = "limit"
    limit: int = 100
    #: Path in the answer of the number of all records, where it says so: saves the request of the empty page.
    total: str | None = None


@dataclass(frozen=True, kw_only=True)
class NextCursor:
    """What the answer names as next, at a path: an address, or the value of a parameter. None or empty ends it."""

    path: str
    #: The parameter that the next request sends it in; None: it is an address.
    parameter: str | None = None


@dataclass(frozen=True)
class LinkHeader:
    """The header `Link: <...>; rel="next"` (RFC 8288); a page without it is the last one."""


Pagination = PageNumber | Offset | NextCursor | LinkHeader
