"""Streams: how far behind they are, their watermarks, what was late, as `lastmile stream status` shows it."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, HTTPException, Path
from pydantic import BaseModel, ConfigDict, Field

from lastmile.serving.door.permission import may
from lastmile.serving.parameters import Text
from lastmile.serving.state import Here
from lastmile.streaming.status import partitions, statuses

router = APIRouter(prefix="/api/v1", tags=["process"])


class StreamNow(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    stream: str
    topic: str
    partitions: int
    events: int = Field(description="in windows, since the beginning; as the other counts")
    late: int = Field(description="came after the time they were expected by")
    late_share: float = Field(description="late events of all events")
    duplicate: int = Field(description="had come before")
    quarantined: int = Field(description="messages and events that were left out")
    lag: int | None = Field(description="messages in the topic that are not committed; null before any was read")
    unlanded: int | None = Field(description="committed messages that are in no drop yet")
    newest_event: datetime | None
    watermark: datetime | None = Field(description="no event from before it is expected any more")
    committed_at: datetime | None
    consumers: int = Field(description="processes that read it")
    problem: str | None = Field(description="what keeps a process from its work")
    gone: int = Field(description="messages that the broker deleted before they were read")


class PartitionNow(BaseModel):
    partition: int
    consumer: str
    generation: int
    committed: int | None = Field(description="the next offset of which nothing is in the windows")
    landed: int | None = Field(description="the next offset that is in no drop")
    end_offset: int | None
    lag: int | None
    event_time: datetime | None
    committed_at: datetime | None
    events: int
    late: int
    duplicate: int
    quarantined: int


class StreamsNow(BaseModel):
    streams: list[StreamNow]


class StreamWithPartitions(StreamNow):
    by_partition: list[PartitionNow]


@router.get("/streams", summary="How streams stand: lag, watermark, late events.", dependencies=[may("read")])
def streams(here: Here) -> StreamsNow:
    with here.reading() as connection:
        return StreamsNow(streams=[StreamNow.model_validate(one) for one in statuses(connection)])


@router.get("/streams/{stream}", summary="How one stream stands, partition by partition.", dependencies=[may("read")])
def stream(stream: Annotated[Text, Path(examples=["page_views"])], here: Here) -> StreamWithPartitions:
    with here.reading() as connection:
        found = statuses(connection, stream)
        if not found:
            known = ", ".join(one.stream for one in statuses(connection)) or "none yet"
            raise HTTPException(404, f"no stream {stream!r} was ever read; streams that were: {known}")
        parts = [PartitionNow.model_validate(one) for one in partitions(connection, stream)]
    return StreamWithPartitions(**StreamNow.model_validate(found[0]).model_dump(), by_partition=parts)
