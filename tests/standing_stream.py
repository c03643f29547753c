"""A stream as one that was read would stand in Postgres: 10 messages behind, a quarter of its events late."""

from datetime import datetime, timedelta

import psycopg

from lastmile.streaming.consumer import positions
from lastmile.streaming.consumer.positions import Move
from lastmile.streaming.consumer.presence import Presence


def stand(url: str, newest: datetime, lateness: timedelta) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        (one,) = positions.claim(connection, "sales", "sales", [0], "a consumer")
        move = Move(0, one.generation, None, 40, newest, events=75, late=25, quarantined=25)
        with connection.transaction():
            positions.hold(connection, "sales", "sales", [move])
            positions.move(connection, "sales", "sales", [move])
            positions.see(connection, "sales", "sales", {0: 50}, [])
            positions.advance(connection, "sales", newest - lateness)
        Presence("sales").beat(connection, [0], None)
