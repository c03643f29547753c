"""Streams over HTTP: how they stand, partition by partition."""

from datetime import UTC, datetime, timedelta

from standing_stream import stand

NEWEST = datetime(2026, 3, 1, 8, tzinfo=UTC)


def test_lag_watermark_and_late_share_are_answered(viewer, settings):
    assert viewer.get("/streams").json() == {"streams": []}
    stand(settings.given_database_url, NEWEST, timedelta(minutes=5))
    (found,) = viewer.get("/streams").json()["streams"]
    assert (found["stream"], found["lag"], found["late_share"], found["consumers"]) == ("sales", 10, 0.25, 1)
    assert datetime.fromisoformat(found["watermark"]) == NEWEST - timedelta(minutes=5)


def test_one_stream_is_answered_with_its_partitions_and_an_unknown_one_with_those_there_are(viewer, settings):
    stand(settings.given_database_url, NEWEST, timedelta(0))
    (part,) = viewer.get("/streams/sales").json()["by_partition"]
    assert (part["partition"], part["committed"], part["end_offset"], part["lag"]) == (0, 40, 50, 10)
    answer = viewer.get("/streams/visits")
    assert answer.status_code == 404
    assert "streams that were: sales" in answer.text
