"""How streams stand, in a scrape."""

from datetime import UTC, datetime, timedelta

from standing_stream import stand


def test_lag_watermark_and_late_share_of_a_stream_are_shown(scrape, database_url):
    stand(database_url, datetime.now(UTC), timedelta(minutes=5))
    found = scrape()
    values = {
        name: found.of(f"stream_{name}", stream="sales")
        for name in ("events_total", "late_total", "lag_messages", "late_share", "consumers")
    }
    assert values == {"events_total": 75, "late_total": 25, "lag_messages": 10, "late_share": 0.25, "consumers": 1}
    assert 300 <= found.of("stream_watermark_age_seconds", stream="sales") < 400
    assert 0 <= found.of("stream_commit_age_seconds", stream="sales") < 100


def test_an_installation_without_streams_has_none(scrape):
    assert scrape().of("stream_lag_messages", stream="sales") is None
