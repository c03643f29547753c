"""Aggregations, and metrics over time."""

from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Path, Query
from pydantic import BaseModel, Field

from lastmile.access.principal import Principal
from lastmile.catalogue import Catalogue, Relation
from lastmile.catalogue.entries import Metric
from lastmile.errors import UserError
from lastmile.learning.registry import series as models
from lastmile.ledger import series as drops
from lastmile.serving.door.permission import may
from lastmile.serving.parameters import LAYER, NO_NUL, TABLE, Day, Identifier, Text
from lastmile.serving.reading.layers import Layer, relation
from lastmile.serving.reading.masking import Veil, veil
from lastmile.serving.reading.negotiation import refusal
from lastmile.serving.routers.data.data import PATIENCE, Where
from lastmile.serving.state import Here
from lastmile.warehouse.reading.aggregation import Part as Grouped
from lastmile.warehouse.reading.aggregation import aggregated, bucket, group, measure
from lastmile.warehouse.reading.filters import condition, parse
from lastmile.warehouse.reading.measures import Measure, over_time

router = APIRouter(prefix="/api/v1", tags=["data"])

MOST_GROUPS = 10_000
Reader = Annotated[Principal, may("read")]
#: A column with what is done to it.
Part = Annotated[str, Field(max_length=80, pattern=NO_NUL)]
Unit = Literal["day", "week", "month"]


class Aggregation(BaseModel):
    """A row for each group: bucket (`month_day`), groups and measures (`mean_hours`) by name."""

    rows: list[dict[str, Any]]
    truncated: bool = Field(description="there are more groups than `limit`")


class MetricEntry(BaseModel):
    name: str
    description: str
    of: str = Field(description="`platform`, `models`, or the mart that it is computed from")
    by: list[str] = Field(description="what it can be split by")


class Point(BaseModel):
    time: date = Field(description="first day of the bucket")
    group: str | None = Field(description="value of `by`")
    value: float | None


class Series(BaseModel):
    name: str
    description: str
    bucket: Unit
    points: list[Point]


@router.get("/aggregations", summary="Measures over groups and buckets of time.")
def aggregations(
    principal: Reader,
    here: Here,
    layer: Annotated[Layer, Query(examples=LAYER)],
    table: Annotated[Identifier, Query(examples=TABLE)],
    measured: Annotated[
        list[Part],
        Query(
            alias="measure",
            max_length=10,
            description="count, or one of count, sum, mean, min, max, median, p90, distinct with `:column`; repeated",
            examples=[["count", "mean:hours"]],
        ),
    ] = ["count"],  # noqa: B006  # FastAPI copies it
    by: Annotated[list[Identifier], Query(max_length=5, description="a column whose values are groups; repeated")] = [],  # noqa: B006
    buckets: Annotated[
        list[Part],
        Query(alias="bucket", max_length=2, description="hour, day, week, month, quarter or year with `:column`"),
    ] = [],  # noqa: B006
    where: Where = [],  # noqa: B006
    limit: Annotated[int, Query(ge=1, le=MOST_GROUPS)] = 1_000,
) -> Aggregation:
    """Groups are in the order of their buckets and values. Personal columns are for roles that may see them."""
    sees, found = veil(here, principal), here.catalogue()
    with here.reading(PATIENCE) as connection:
        source = relation(connection, found, here.store.url, layer, table)
        groups = [*(bucket(source, one) for one in buckets), *(group(source, one) for one in by)]
        measures = [measure(source, one) for one in measured]
        filters = parse(where, source)
        sees.demand(_columns([*groups, *measures]), "measure, by or bucket")
        sees.demand([one.column.name for one in filters], "where")
        rows, more = aggregated(connection, source, groups, measures, condition(filters), limit)
    return Aggregation(rows=[_plain(row) for row in rows], truncated=more)


def _columns(parts: list[Grouped]) -> list[str]:
    return [one.column.name for one in parts if one.column]


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """JSON has no number that is none or endless."""
    return {
        name: None if isinstance(value, float) and (value != value or abs(value) == float("inf")) else value
        for name, value in row.items()
    }


@router.get("/metrics", summary="Metrics over time: which there are.")
def metrics(principal: Reader, here: Here) -> list[MetricEntry]:
    """Those of the platform, of its models, and of the marts, as dbt's semantic models declare them."""
    platform = [
        MetricEntry(name=name, description=words, of="platform", by=["dataset"])
        for name, (words, _) in drops.METRICS.items()
    ]
    learnt = [
        MetricEntry(name=name, description=words, of="models", by=["model"])
        for name, (words, *_) in models.METRICS.items()
    ]
    found = here.catalogue()
    sees = veil(here, principal)
    marts = [
        MetricEntry(name=name, description=one.description, of=f"{mart.db_schema}.{mart.name}", by=_splits(mart, sees))
        for name, (mart, one) in _declared(found).items()
    ]
    return [*platform, *learnt, *marts]


@router.get(
    "/metrics/{name}",
    summary="A metric over time.",
    responses={404: refusal("No such metric")},
)
def over(
    principal: Reader,
    here: Here,
    name: Annotated[str, Path(max_length=128, pattern=NO_NUL, examples=["rows_loaded"])],
    start: Annotated[Day | None, Query(alias="from", description="first day")] = None,
    end: Annotated[Day | None, Query(alias="to", description="first day after")] = None,
    unit: Annotated[Unit, Query(alias="bucket")] = "month",
    by: Annotated[Text | None, Query(description="dataset, model, or a column of the mart")] = None,
) -> Series:
    """A point for each bucket that has something, in UTC; 10,000 at most."""
    first, last = _moment(start), _moment(end)
    found, sees = here.catalogue(), veil(here, principal)
    with here.reading(PATIENCE) as connection:
        if name in drops.METRICS:
            _only(by, "dataset", name)
            words = drops.METRICS[name][0]
            points = drops.series(connection, here.store.url, name, unit, first, last, by is not None)
        elif name in models.METRICS:
            _only(by, "model", name)
            words = models.METRICS[name][0]
            points = models.series(connection, name, unit, first, last, by is not None)
        elif name in (declared := _declared(found)):
            mart, metric = declared[name]
            words, how = metric.description, _measure(metric, mart, sees)
            sees.demand([by] if by else [], "by")
            source = relation(connection, found, here.store.url, _layer(mart), mart.name)
            points = over_time(connection, source, how, unit, first, last, by, MOST_GROUPS)
        else:
            raise HTTPException(404, f"there is no metric {name!r}; GET /api/v1/metrics lists them")
    return Series(name=name, description=words, bucket=unit, points=[Point(**_plain(one)) for one in points])


def _declared(found: Catalogue) -> dict[str, tuple[Relation, Metric]]:
    """Of the marts, those that have a time; a name of the platform's own is never theirs."""
    reserved = {*drops.METRICS, *models.METRICS}
    return {
        one.name: (mart, one)
        for mart in found.relations.values()
        if mart.db_schema in ("marts", "intermediate")
        for one in mart.metrics
        if one.time and one.name not in reserved
    }


def _layer(mart: Relation) -> Layer:
    return "marts" if mart.db_schema == "marts" else "intermediate"


def _splits(mart: Relation, sees: Veil) -> list[str]:
    return [column.name for column in mart.columns if not sees.hides(column.name)]


def _measure(metric: Metric, mart: Relation, sees: Veil) -> Measure:
    """How often a personal column is there says nothing of its values; anything else would."""
    from sqlglot import exp, parse_one

    if metric.agg not in ("count", "count_distinct", "sum_boolean"):
        named = [one.name for one in parse_one(metric.expr, read="postgres").find_all(exp.Column)]
        sees.demand(named, f"metric {metric.name} of {mart.name}")
    return Measure(metric.agg, metric.expr, metric.time or "")


def _only(by: str | None, possible: str, name: str) -> None:
    if by not in (None, possible):
        raise UserError(f"by: {name} can be split by {possible}, found {by!r}")


def _moment(day: date | None) -> datetime | None:
    return datetime(day.year, day.month, day.day, tzinfo=UTC) if day else None
