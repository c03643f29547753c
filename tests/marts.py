"""A mart made of the visits, as dbt would make and describe it, and how answers about it are read."""

import io
from typing import Any

import httpx
import polars as pl
import pyarrow.ipc
from visits import Site

from lastmile.catalogue.describing import catalogue
from lastmile.catalogue.entries import Catalogue, Metric, Relation, RelationColumn
from lastmile.catalogue.published import publish

CANARY = "Canary Atieno"


def published(site: Site) -> Catalogue:
    """The site, with a mart made from it: `visit` and `name` are personal."""
    known = catalogue([site.contract])
    columns = [
        RelationColumn(name="visit", personal=True),
        RelationColumn(name="name", personal=True),
        RelationColumn(name="day", description="When it was."),
        RelationColumn(name="hours"),
        RelationColumn(name="outcome"),
    ]
    metrics = [
        Metric(name="mean_hours", agg="average", expr="hours", time="day"),
        Metric(name="done", agg="sum", expr="case when outcome = 'done' then 1 else 0 end", time="day"),
    ]
    mart = Relation(name="fct_visit", db_schema="marts", columns=columns, key=["visit"], metrics=metrics)
    return known.model_copy(update={"relations": {"marts.fct_visit": mart}})


def with_mart(site: Site) -> Site:
    """The site and its mart, published."""
    site.connection.execute("CREATE SCHEMA IF NOT EXISTS marts")
    site.connection.execute(
        "CREATE TABLE marts.fct_visit (visit text PRIMARY KEY, name text, day date, hours double precision,"
        " at timestamptz, fee numeric, ok boolean, outcome text)"
    )
    site.connection.execute(
        "INSERT INTO marts.fct_visit SELECT 'v' || n, %s || n, date '2020-01-01' + n, nullif(n %% 7, 3) / 2.0,"
        " timestamptz '2020-01-01 12:00:00.5Z' + n * interval '1 hour', n / 4.0, n %% 2 = 0,"
        " (ARRAY['done', 'absent', NULL])[n %% 3 + 1] FROM generate_series(1, 60) AS n",
        [CANARY],
    )
    publish(site.connection, published(site))
    return site


def pages(client: httpx.Client, path: str, **query: Any) -> list[dict[str, Any]]:
    rows, after = [], None
    while True:
        answer = client.get(path, params={**query, **({"after": after} if after else {})})
        assert answer.status_code == 200, answer.text
        rows += answer.json()["rows"]
        if (after := answer.json()["after"]) is None:
            return rows


def read(answer: httpx.Response) -> pl.DataFrame:
    body = io.BytesIO(answer.content)
    kind = answer.headers["content-type"].partition(";")[0]
    if kind == "text/csv":
        return pl.read_csv(body, try_parse_dates=True)
    if kind == "application/x-ndjson":
        return pl.read_ndjson(body)
    if kind.endswith("parquet"):
        return pl.read_parquet(body)
    return pl.DataFrame(pl.from_arrow(pyarrow.ipc.open_stream(body).read_all()))
