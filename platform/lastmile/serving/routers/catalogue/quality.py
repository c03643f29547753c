"""How good the data is, by rule over time and by drop, and what the checks of assets say."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from lastmile.access.principal import Principal
from lastmile.operations.checks import latest
from lastmile.quarantine.query import Bucket, Selection
from lastmile.quarantine.selection import check
from lastmile.quarantine.trend import anomaly, rules_over_time, shares, usual
from lastmile.serving.door.permission import may
from lastmile.serving.parameters import DATASET, Day, Name, Text
from lastmile.serving.state import Here

router = APIRouter(prefix="/api/v1/quality", tags=["catalogue"])

Reader = Annotated[Principal, may("read")]
DatasetName = Annotated[Name, Path(examples=DATASET)]
_MOST = 5_000


class RuleOverTime(BaseModel):
    bucket: str = Field(description="its first day, or the partition")
    dataset: str
    column: str | None
    rule: str | None
    rows: int = Field(description="that broke it, those that were discarded among them")
    drops: int
    read: int = Field(description="rows of the dataset that were read in the bucket")
    share: float | None


class DropShare(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    key: str
    partition: str
    bad: int = Field(description="rows that broke the contract, neither released nor discarded")
    read: int
    share: float


class DatasetQuality(BaseModel):
    """Bad rows from drop to drop, in the order they came."""

    drops: list[DropShare]
    usual: float | None = Field(description="the median share of the drops before the newest")
    anomaly: str | None = Field(description="where the newest is far above that, and by more than chance explains")


class CheckResult(BaseModel):
    asset: str
    check: str
    passed: bool
    severity: Literal["warn", "error"] | None
    partition: str | None
    at: datetime
    run: str | None


@router.get("/rules", summary="Rows that broke a rule, over time.")
def rules(
    _: Reader,
    here: Here,
    dataset: Name | None = None,
    rule: Name | None = None,
    column: Name | None = None,
    first: Annotated[Day | None, Query(alias="from", description="day")] = None,
    last: Annotated[Day | None, Query(alias="to", description="day, included")] = None,
    bucket: Bucket = "month",
) -> list[RuleOverTime]:
    """By the time the rows were quarantined at, or by `partition`; the newest first, 5,000 at most."""
    selection = Selection(dataset, rule=rule, column=column, store=here.store.url, discarded=True)
    with here.reading() as connection:
        check(connection, selection)
        found = rules_over_time(connection, selection, bucket, first, last, _MOST)
    return [RuleOverTime(**one) for one in found]


@router.get("/datasets/{name}", summary="The share of bad rows, drop by drop.")
def dataset_quality(name: DatasetName, _: Reader, here: Here, partition: Name | None = None) -> DatasetQuality:
    """The newest 50 drops with rows."""
    if name not in here.catalogue().datasets:
        raise HTTPException(404, f"there is no dataset {name!r:.100}; GET /api/v1/datasets lists those there are")
    with here.reading() as connection:
        found = shares(connection, here.store.url, name, partition)
    return DatasetQuality(
        drops=[DropShare.model_validate(one) for one in found],
        usual=usual(found[:-1]) if len(found) > 1 else None,
        anomaly=anomaly(found),
    )


@router.get("/checks", summary="The latest result of each check of the assets.")
def checks(
    _: Reader,
    here: Here,
    asset: Annotated[Text | None, Query(description="such as `cleaned/hhinfo`")] = None,
    passed: bool | None = None,
) -> list[CheckResult]:
    """Rows of a drop that break a check do not stop it: what is bad is quarantined. A check that failed with the
    severity `error` says that what was made is not to be relied on."""
    with here.reading() as connection:
        found = latest(connection, asset)
    return [CheckResult(**one) for one in found if passed is None or one["passed"] == passed]
