"""Rows of every layer, filtered, sorted, page by page, in five formats."""

from collections.abc import Generator, Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Query, Request, Response
from psycopg import Connection, sql
from pydantic import BaseModel, Field

from lastmile.access.principal import Principal
from lastmile.errors import UserError
from lastmile.serving.door.permission import may
from lastmile.serving.parameters import LAYER, NO_NUL, TABLE, Filters, Id, Identifier
from lastmile.serving.reading.described import Described, described
from lastmile.serving.reading.layers import LAYERS, Layer, relation, tables
from lastmile.serving.reading.masking import veil
from lastmile.serving.reading.negotiation import FILES, JSON, MEDIA_TYPES, Format, InForm, chosen, refusal
from lastmile.serving.reading.page_tokens import PageTokens
from lastmile.serving.reading.stream import Stream, Streamed
from lastmile.serving.state import Here
from lastmile.warehouse.reading import Selection, find
from lastmile.warehouse.reading.filters import condition, named, parse
from lastmile.warehouse.reading.formats import FORMATS
from lastmile.warehouse.reading.pages import order, page
from lastmile.warehouse.reading.statistics import MOST_LEVELS, MOST_ROWS, statistics
from lastmile.warehouse.reading.terms import order_by

router = APIRouter(prefix="/api/v1", tags=["data"])

MOST_PER_PAGE = 10_000
_PER_PAGE = 100
#: Seconds that a reader waits for a connection: others read large tables.
PATIENCE = 10.0

Reader = Annotated[Principal, may("read")]
Name = Annotated[Identifier, Path(examples=TABLE)]
InLayer = Annotated[Layer, Path(examples=LAYER)]
Where = Annotated[
    Filters,
    Query(
        description="`column.op.value`, repeated; op is one of eq, ne, lt, le, gt, ge, in (commas between values), like"
        " (begins with), is (null or notnull)",
        examples=[["country.eq.KE"]],
    ),
]


AfterPage = Annotated[
    str | None,
    Query(
        max_length=4_096,
        pattern=r"^[A-Za-z0-9_=-]*$",
        description="`after` of the page before, for the same query",
    ),
]


class Table(BaseModel):
    name: str
    description: str
    exists: bool = Field(description="it was made already")
    rows: int | None = Field(description="estimated; null for drops")


class LayerEntry(BaseModel):
    layer: Layer
    description: str
    tables: list[Table]


class RowPage(BaseModel):
    """`after` requests the next page; null on the last one."""

    rows: list[dict[str, Any]]
    after: str | None


class ColumnSummary(Described):
    """Null where the column's type has no such thing, or your role may not see it."""

    nulls: float | None = Field(description="share of the rows that were looked at")
    distinct: int | None = Field(description="different values among the rows that were looked at")
    min: float | date | datetime | None
    max: float | date | datetime | None
    mean: float | None
    median: float | date | datetime | None
    levels: dict[str, int] | None = Field(description=f"rows by value, where there are {MOST_LEVELS} values at most")


class Summary(BaseModel):
    rows: int
    is_estimate: bool = Field(description=f"of the rows, where there are more than {MOST_ROWS:,}")
    looked_at: int = Field(description="rows of the sample, all of them unless `is_estimate`")
    columns: list[ColumnSummary]


@router.get("/data", summary="Layers and their tables.")
def layers(_: Reader, here: Here) -> list[LayerEntry]:
    found = here.catalogue()
    with here.reading(PATIENCE) as connection:
        return [
            LayerEntry(
                layer=layer,
                description=description,
                tables=[
                    _table(connection, layer, schema, name)
                    for name, (schema, _) in sorted(tables(found, layer).items())
                ],
            )
            for layer, description in LAYERS.items()
        ]


def _table(connection: Connection, layer: Layer, schema: str, name: str) -> Table:
    if layer == "raw":
        return Table(name=name, description="drops", exists=True, rows=None)
    found = find(connection, schema, name)
    if found is None:
        return Table(name=name, description="", exists=False, rows=None)
    return Table(name=name, description=found.description, exists=True, rows=found.rows)


@router.get(
    "/data/{layer}/{table}",
    summary="Rows of a table.",
    response_class=Response,
    responses={
        200: {"model": RowPage, "content": FILES, "description": "Rows"},
        406: refusal("No such format"),
    },
)
def rows(
    request: Request,
    principal: Reader,
    here: Here,
    layer: InLayer,
    table: Name,
    columns: Annotated[
        str | None, Query(max_length=1_024, pattern=NO_NUL, description="with commas between; else all")
    ] = None,
    where: Where = [],  # noqa: B006  # FastAPI copies it
    sort: Annotated[
        str | None,
        Query(max_length=512, pattern=NO_NUL, description="columns; `-` in front: descending"),
    ] = None,
    limit: Annotated[Id | None, Query(description="of a page 100; else all rows")] = None,
    after: Annotated[
        str | None,
        Query(
            max_length=4_096, pattern=r"^[A-Za-z0-9_=-]*$", description="`after` of the page before, for the same query"
        ),
    ] = None,
    form: InForm = None,
) -> Response:
    """JSON is page by page, at most 10,000 rows each. Every other format is the whole selection as a stream, in no
    order unless sorted. Personal columns are `***`, a pseudonym (`p_...`) or null for roles that may not see them."""
    wanted, by = chosen(request, form), _names(sort)
    sees, found = veil(here, principal), here.catalogue()
    with here.reading(PATIENCE) as connection:
        source = relation(connection, found, here.store.url, layer, table)
        shown = [named(source, name).name for name in _names(columns)]
        filters = parse(where, source)
        sees.demand([one.column.name for one in filters], "where")
        sees.demand([name.removeprefix("-") for name in by], "sort")
        selection = Selection(source, sees.selection(source, shown), condition(filters))
        if wanted == "json":
            tokens = PageTokens(here.secret, layer, table, where, by)
            body = _page(connection, selection, by, limit or _PER_PAGE, after, tokens)
            return Response(body, media_type=JSON)
    if after is not None:
        raise UserError("after: pages are of JSON; a file has all rows, or the first `limit`")
    return _streamed(here.database_url, selection, by, limit, wanted, f"{table}.{wanted}")


def _page(
    connection: Connection, selection: Selection, by: Sequence[str], limit: int, after: str | None, tokens: PageTokens
) -> bytes:
    if limit > MOST_PER_PAGE:
        raise UserError(f"limit: a page of JSON has {MOST_PER_PAGE:,} rows at most; request a file, such as format=csv")
    terms = order(selection.relation, by)
    found, position = page(connection, selection, terms, limit, tokens.decoded(after))
    following = orjson.dumps(tokens.encoded(position)).decode()
    return f'{{"rows":[{",".join(found)}],"after":{following}}}'.encode()


def _streamed(
    url: str, selection: Selection, by: Sequence[str], limit: int | None, form: Format, name: str
) -> Streamed:
    terms = order(selection.relation, by)[: len(by)]
    bounded = sql.SQL("") if limit is None else sql.SQL(" LIMIT {}").format(sql.Literal(limit))
    tail = order_by(terms) + bounded

    def read(connection: Connection) -> Generator[bytes, None, None]:
        return FORMATS[MEDIA_TYPES[form]](connection, selection, tail)

    return Streamed(Stream(url, read).begin(), MEDIA_TYPES[form], name)


@router.get("/data/{layer}/{table}/statistics", summary="What the columns of a table hold.")
def summary(principal: Reader, here: Here, layer: InLayer, table: Name) -> Summary:
    """Of a large table from a sample: then `rows` is an estimate, and the columns are those of `looked_at` rows."""
    sees, found = veil(here, principal), here.catalogue()
    with here.reading(PATIENCE) as connection:
        source = relation(connection, found, here.store.url, layer, table)
        counted = statistics(connection, source, sees.hidden)
    known = described(found, source, layer, table)
    columns = [
        ColumnSummary(**known[name].model_dump(), **_plain(asdict(one))) for name, one in counted.columns.items()
    ]
    return Summary(rows=counted.rows, is_estimate=counted.is_estimate, looked_at=counted.looked_at, columns=columns)


def _plain(found: dict[str, Any]) -> dict[str, Any]:
    """JSON has no number that is none, and no end of time."""
    return {name: None if value != value else value for name, value in found.items()}


def _names(written: str | None) -> list[str]:
    return [name.strip() for name in (written or "").split(",") if name.strip()]
