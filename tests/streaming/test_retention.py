"""What of streams goes after a while: nothing that lands or is replayed needs it; what killed replays left goes."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from streamed import RUSHES, SALES_BY_KEY, Shop, sale

from lastmile.quarantine.messages import forget_messages, old_messages
from lastmile.streaming.replay.replay import replay
from lastmile.streaming.replay.under_way import only_one
from lastmile.streaming.retention import forget_rows, landing_streams, old_rows

AGED = "now() - interval '400 days'"
BEFORE = datetime.now(UTC) - timedelta(days=365)


@pytest.fixture
def landing(shop: Shop) -> Shop:
    """A stream that lands, with a segment for each reading."""
    shop.landing_seconds = 0.0
    return shop


def read(shop: Shop, **changed: Any) -> int:
    return shop.read(lands=True, **changed)


def connected(shop: Shop) -> psycopg.Connection:
    return psycopg.connect(shop.database_url, autocommit=True)


def replayed(shop: Shop, **changed: Any) -> dict[str, int]:
    """Rows that are others than before, by window."""
    running = shop.running(lands=True, **changed)
    day = datetime(2026, 3, 1, tzinfo=UTC).date()
    found = replay(shop.database_url, shop.store, running._stream, shop.contract, day, day)
    return {one.window: one.rows_changed for one in found}


def test_landed_segments_go_and_a_process_goes_on_where_it_was(landing: Shop) -> None:
    for number in range(3):
        landing.send(sale(number, number))
        assert read(landing) == 1
    with connected(landing) as connection:
        connection.execute(f"UPDATE streams.segments SET landed_at = {AGED} WHERE first_offset <> 1")
        assert old_rows(connection, BEFORE)["segments of streams"] == 2
        assert forget_rows(connection, BEFORE)["segments of streams"] == 2
        assert forget_rows(connection, BEFORE)["segments of streams"] == 0
    landing.send(sale(9, 9))
    assert read(landing) == 1
    assert replayed(landing) == {"sales_by_minute": 0}


def test_a_segment_that_may_be_written_again_stays(landing: Shop) -> None:
    landing.send(sale(1), sale(2))
    read(landing)
    with connected(landing) as connection:
        connection.execute(f"UPDATE streams.segments SET landed_at = {AGED}")
        connection.execute("UPDATE streams.positions SET landed = 1")
        assert forget_rows(connection, BEFORE)["segments of streams"] == 0
        connection.execute("UPDATE streams.segments SET landed_at = NULL, written_at = now() - interval '2 years'")
        connection.execute("UPDATE streams.positions SET landed = 2")
        assert forget_rows(connection, BEFORE)["segments of streams"] == 0


def test_the_last_replay_of_a_window_and_the_newest_version_of_a_table_stay(landing: Shop) -> None:
    with connected(landing) as connection:
        for window in ("a", "a", "b"):
            connection.execute(
                "INSERT INTO streams.replays (stream, window_name, cuts, ended_at)"
                f" VALUES ('sales', %s, '{{}}', {AGED})",
                [window],
            )
        for version, digest in enumerate("xyz"):
            connection.execute(
                "INSERT INTO streams.lookups (stream, lookup, version, seen_at, relation, rows, digest)"
                f" VALUES ('sales', 'prices', %s, {AGED}, 'marts.prices', 1, %s)",
                [version, digest],
            )
        wanted = {
            "segments of streams": 0,
            "replays of windows": 1,
            "versions of looked-up tables": 2,
            "replays that were killed": 0,
        }
        assert old_rows(connection, BEFORE) == wanted
        assert forget_rows(connection, BEFORE) == wanted
        assert set(forget_rows(connection, BEFORE).values()) == {0}
    assert landing.rows("SELECT version FROM streams.lookups") == [{"version": 2}]
    assert landing.rows("SELECT id, window_name FROM streams.replays ORDER BY 1")[0]["window_name"] == "a"


def test_what_a_killed_replay_left_goes_and_one_that_is_under_way_stays(landing: Shop) -> None:
    landing.send(sale(1))
    read(landing, windows=(RUSHES,))
    with connected(landing) as connection, connected(landing) as other:
        connection.execute("CREATE TABLE replays.rushes (LIKE windows.rushes INCLUDING ALL)")
        connection.execute("INSERT INTO streams.replays (stream, window_name, cuts) VALUES ('sales', 'rushes', '{}')")
        connection.execute("INSERT INTO streams.keys VALUES ('sales replayed', gen_random_uuid(), now())")
        with only_one(other, "sales"):
            assert forget_rows(connection, BEFORE)["replays that were killed"] == 0
        assert old_rows(connection, BEFORE)["replays that were killed"] == 1
        assert forget_rows(connection, BEFORE)["replays that were killed"] == 1
        assert connection.execute("SELECT to_regclass('replays.rushes'), count(*) FROM streams.keys").fetchone() == (
            None,
            0,
        )
    landing.send(sale(3, 5))
    assert read(landing, windows=(RUSHES,)) == 1
    assert replayed(landing, windows=(RUSHES,)) == {"rushes": 0}


def test_old_messages_go_and_a_replay_leaves_out_what_it_did(landing: Shop) -> None:
    landing.send(b"{", sale(1, 0), sale(3, 500), sale(5, 10))
    read(landing)
    with connected(landing) as connection:
        streams = landing_streams(connection)
        assert old_messages(connection, BEFORE, streams) == 0
        connection.execute(f"UPDATE quarantine.messages SET at = {AGED}")
        assert old_messages(connection, BEFORE, streams) == 2
        assert forget_messages(connection, BEFORE, streams) == 2
        assert (old_messages(connection, BEFORE, streams), forget_messages(connection, BEFORE, streams)) == (0, 0)
    (late,) = landing.quarantined()
    assert (late["rule"], late["raw"], late["lateness"]) == ("late", None, timedelta(seconds=430))
    assert replayed(landing) == {"sales_by_minute": 0}


def test_of_a_stream_that_does_not_land_old_late_events_go(shop: Shop) -> None:
    shop.send(sale(1, 0), sale(3, 500), sale(5, 10))
    shop.read()
    with connected(shop) as connection:
        connection.execute(f"UPDATE quarantine.messages SET at = {AGED}")
        assert landing_streams(connection) == []
        assert forget_messages(connection, BEFORE, []) == 1
    assert shop.quarantined() == []


def test_keys_of_late_events_are_remembered_as_long_as_they_update_their_windows(
    landing: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lastmile.streaming.consumer.commit._FORGET_SECONDS", 0.0)
    landing.contract = SALES_BY_KEY
    declared = {"late": "update", "late_until": timedelta(minutes=10), "lateness": timedelta(0)}
    landing.send(sale(0, 0), sale(1, 60))
    assert read(landing, **declared) == 2
    landing.send(sale(2, 900))
    read(landing, **declared)
    landing.send(sale(3, 901))  # with its commit the first keys are forgotten
    read(landing, **declared)
    assert {row["n"] for row in landing.rows("SELECT count(*) AS n FROM streams.keys")} == {2}
    landing.send(sale(0, 0), sale(7, 60), sale(2, 900), sale(4, 400))  # again, and new, too late; again; late
    assert read(landing, **declared) == 1
    assert [(row["rule"], row["lateness"]) for row in landing.quarantined()] == [
        ("old", timedelta(seconds=901)),
        ("old", timedelta(seconds=841)),
    ]
    assert sum(row["sales"] for row in landing.windows()) == 5
    assert replayed(landing, **declared) == {"sales_by_minute": 0}
