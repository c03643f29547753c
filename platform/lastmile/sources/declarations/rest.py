"""A REST API: an address that answers JSON, page by page.

source = Rest(
    name="orders",
    dataset="orders",
    description="Orders of the shop.",
    owner="team:sales",
    url=Setting("LASTMILE_SOURCE_SHOP_URL", "https://api.example.org/v2"),
    path="/orders",
    records="data",
    pages=NextCursor(path="meta.next", parameter="cursor"),
    authentication=Bearer(Setting("LASTMILE_SOURCE_SHOP_TOKEN")),
    incremental=Incremental(field="updated_at", parameter="since", overlap=timedelta(minutes=10)),
)
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from lastmile.contracts.annotated import mistyped
from lastmile.sources.declarations.authentication import Authentication
from lastmile.sources.declarations.incremental import Incremental
from lastmile.sources.declarations.pagination import Pagination
from lastmile.sources.declarations.setting import Setting
from lastmile.sources.declarations.source import Misdeclared, Source


@dataclass(frozen=True, kw_only=True)
class Rest(Source):
    """One endpoint; each of its records is a row of the dataset, landed as it was sent."""

    #: Where the API is; `path` is appended.
    url: str | Setting
    path: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    #: Path of the array of records in an answer, such as `data.items`; empty: the answer is the array.
    records: str = ""
    pages: Pagination | None = None
    authentication: Authentication | None = None
    incremental: Incremental | None = None
    requests_per_second: float | None = None
    #: How long the server may stay silent; a whole page may last ten times as long.
    timeout: timedelta = timedelta(seconds=30)
    #: How often a request is sent at most, and how long a server may want us to wait before it is given up.
    attempts: int = 6
    longest_wait: timedelta = timedelta(minutes=5)
    #: What goes on beyond these counts as endless.
    most_pages: int = 10_000
    most_page_bytes: int = 64 * 2**20

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.authentication and (found := list(mistyped(self.authentication))):
            raise Misdeclared(f"source {self.name}: authentication: {'; '.join(found)}")
        address = self.url.default or "" if isinstance(self.url, Setting) else self.url
        if (address or isinstance(self.url, str)) and not address.startswith(("http://", "https://")):
            raise Misdeclared(f"source {self.name}: expected an address of http:// or https://; found {address!r}")
        if "@" in address.partition("://")[2].partition("/")[0]:
            raise Misdeclared(f"source {self.name}: its address has a password in it; give the whole as a Setting")
        for name in ("attempts", "most_pages", "most_page_bytes"):
            if getattr(self, name) < 1:
                raise Misdeclared(f"source {self.name}: {name} is {getattr(self, name)}; expected 1 or more")
        if self.requests_per_second is not None and self.requests_per_second <= 0:
            raise Misdeclared(f"source {self.name}: requests_per_second must be more than 0")

    @property
    def is_incremental(self) -> bool:
        return self.incremental is not None
