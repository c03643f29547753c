"""Frames by partition: file and table hold the same rows, whatever happens at the same time."""

from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import psycopg
import pytest
from fields import SEASONS, WINDOW_2020, WINDOW_2021
from psycopg import sql

from lastmile.errors import UserError
from lastmile.learning.frames import PartitionedFrame, content, contents
from lastmile.learning.tables import read

FIELDS = PartitionedFrame("features", "fields", "season")


@pytest.fixture
def kept(connection, store, rows) -> pd.DataFrame:
    """Two seasons of rows, kept."""
    for partition, window, season in (("2020", WINDOW_2020, SEASONS[0]), ("2021", WINDOW_2021, SEASONS[1])):
        FIELDS.replace(connection, store, partition, window, rows[rows["season"] == season])
    return rows


def table(connection: psycopg.Connection) -> pd.DataFrame:
    return read(connection, sql.SQL("SELECT * FROM features.fields ORDER BY field"))


def test_a_frame_comes_back_as_it_went_in_by_partition_and_whole(store, kept) -> None:
    whole = FIELDS.read(store).sort_values("field", ignore_index=True)
    pd.testing.assert_frame_equal(whole, kept)
    assert set(FIELDS.read(store, ["2021"])["season"]) == {SEASONS[1]}


def test_the_table_holds_the_same_rows(connection, store, kept) -> None:
    pd.testing.assert_frame_equal(table(connection), kept, check_dtype=False)


def test_partitions_never_made_have_no_rows_and_none_at_all_is_an_error_that_says_so(store, kept) -> None:
    assert len(FIELDS.read(store, ["2015", "2020"])) == (kept["season"] == SEASONS[0]).sum()
    with pytest.raises(UserError, match=r"features/fields has no rows of 2015 yet; made so far: 2020, 2021"):
        FIELDS.read(store, ["2015"])


def test_a_partition_made_again_is_replaced_and_no_other(connection, store, kept) -> None:
    FIELDS.replace(connection, store, "2020", WINDOW_2020, kept[kept["season"] == SEASONS[0]].head(3))
    assert len(FIELDS.read(store, ["2020"])) == 3
    assert len(table(connection)) == len(FIELDS.read(store))


def test_a_replacement_that_fails_leaves_the_rows_of_before(connection, store, kept) -> None:
    def fail(_: psycopg.Connection) -> None:
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        FIELDS.replace(connection, store, "2020", WINDOW_2020, kept.head(0), also=fail)
    assert len(table(connection)) == len(FIELDS.read(store)) == len(kept)


def test_runs_that_overlap_leave_the_same_rows_in_the_file_and_in_the_table(store, kept, database_url) -> None:
    season = kept[kept["season"] == SEASONS[0]]

    def replace(size: int) -> None:
        with psycopg.connect(database_url, autocommit=True) as other:
            FIELDS.replace(other, store, "2020", WINDOW_2020, season.head(size))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(replace, range(1, 12)))
    with psycopg.connect(database_url) as connection:
        in_table = table(connection)
    in_file = FIELDS.read(store, ["2020"])
    assert list(in_table[in_table["season"] == SEASONS[0]]["field"]) == sorted(in_file["field"])


def test_a_column_added_or_of_another_type_is_added_or_changed_for_the_rows_there_are(connection, store, kept) -> None:
    other = kept[kept["season"] == SEASONS[0]].assign(slope=3.5, noise="silence")
    FIELDS.replace(connection, store, "2020", WINDOW_2020, other)
    found = table(connection)
    assert found["slope"].notna().sum() == len(other)
    assert set(found[found["season"] == SEASONS[0]]["noise"]) == {"silence"}
    assert found["noise"].notna().all()


def test_the_hash_depends_on_the_values_and_their_order(rows) -> None:
    before = contents(rows, "season")
    assert contents(rows.copy(), "season") == before
    changed = rows.assign(rain_mm=rows["rain_mm"].where(rows.index != 1, rows["rain_mm"] + 1e-9))
    after = contents(changed, "season")
    assert [day for day in before if before[day] != after[day]] == [f"{rows['season'][1]:%Y-%m-%d}"]
    assert content(rows) != content(rows.iloc[::-1])
    assert content(rows) != content(rows.rename(columns={"noise": "silence"}))
