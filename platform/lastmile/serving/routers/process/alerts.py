"""Alerts: what fires and is pending now, as `lastmile alerts list` shows it."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from lastmile.access.principal import Principal
from lastmile.contracts.alerts import Severity
from lastmile.operations.alerts.standing import standing
from lastmile.serving.door.permission import may
from lastmile.serving.state import Here

router = APIRouter(prefix="/api/v1", tags=["process"])

Reader = Annotated[Principal, may("read")]


class AlertNow(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    rule: str = Field(description="docs/runbook.md has an entry of this name")
    subject: str = Field(description="a dataset, a model or `platform`")
    part: str = Field(description="such as a partition; empty where it is all of the subject")
    owner: str
    severity: Severity
    state: str = Field(description="`firing` or `pending`")
    since: datetime
    fired_at: datetime | None
    value: float
    threshold: float
    text: str | None = Field(description="more about the value; shown to roles that may see personal columns")
    acknowledged_by: str | None
    silenced: bool = False


class AlertsNow(BaseModel):
    alerts: list[AlertNow] = Field(description="the most severe first")
    evaluated_seconds: float | None = Field(description="how long ago; null where there was never a watcher")


@router.get("/alerts", summary="What fires or is pending now.")
def alerts(here: Here, reader: Reader) -> AlertsNow:
    with here.reading() as connection:
        found = standing(connection)
    shown = [AlertNow.model_validate(one).model_copy(update=_hidden(reader)) for one in found.alerts]
    for one, alert in zip(shown, found.alerts, strict=True):
        one.silenced = alert.key in found.silenced
    return AlertsNow(alerts=shown, evaluated_seconds=found.evaluated_seconds)


def _hidden(reader: Principal) -> dict[str, None]:
    """It may quote a value of a row."""
    return {} if reader.may("personal") else {"text": None}
