"""A large drop has its own table, which queries of the dataset's table do not notice."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from time import sleep

import psycopg
import pytest
from visits import VISITS, Site

from lastmile.contracts import column
from lastmile.ingestion import load
from lastmile.warehouse import drop_tables
from lastmile.warehouse.tables import ensure_table

pytestmark = pytest.mark.usefixtures("all_are_large")


@pytest.fixture
def all_are_large(monkeypatch):
    monkeypatch.setattr(load, "LARGE_BYTES", 0)


def own_tables(site: Site) -> list[str]:
    return [row["name"] for row in site.query("SELECT inhrelid::regclass::text AS name FROM pg_inherits ORDER BY 1")]


def in_common(site: Site) -> list[str]:
    return [row["visit"] for row in site.query("SELECT visit FROM ONLY raw.visits ORDER BY visit")]


def indexed(site: Site, table: str) -> list[str]:
    found = site.query("SELECT indexdef FROM pg_indexes WHERE schemaname || '.' || tablename = %s", table)
    return sorted(row["indexdef"].partition("btree ")[2] for row in found)


def scans(site: Site, table: str) -> int:
    site.query("SELECT pg_stat_force_next_flush()")
    (found,) = site.query(
        "SELECT seq_scan + coalesce(idx_scan, 0) AS scans FROM pg_stat_user_tables WHERE relid = %s::regclass", table
    )
    return int(found["scans"])


def make_old(site: Site) -> None:
    site.connection.execute("UPDATE ledger.drops SET settled_at = settled_at - interval '2 hours'")


def test_its_rows_lie_apart_and_are_the_datasets(site):
    site.arrive("a.csv", "v1,3,2,1,done", "v2,4,2,1,absent")
    (drop,) = site.drops()
    assert own_tables(site) == [f"large_drops.drop_{drop['id']}"]
    assert (site.visits(), in_common(site)) == (["v1", "v2"], [])


def test_its_keys_are_indexed_when_another_drop_is_compared_with_them(site):
    site.arrive("a.csv", "v1,3,2,1,done")
    site.arrive("b.csv", "v1,3,2,1,done", year="2019")
    site.arrive("a.csv", "v2,3,2,1,done")
    assert [indexed(site, table) for table in own_tables(site)] == [[], [], []]
    site.arrive("c.csv", "v3,3,2,1,done")
    assert [indexed(site, table) for table in own_tables(site)] == [[], [], ["(visit)"], []]


def test_its_keys_are_indexed_for_small_drops_too(site):
    site.arrive("a.csv", "v1,3,2,1,done")
    for name in ("b.csv", "c.csv"):
        site.put_rows(name, f"{name},3,2,1,done")
    site.discover()
    assert [outcome.loaded for outcome in site.take()] == [1, 1]
    assert [indexed(site, table) for table in own_tables(site)] == [["(visit)"]]


def test_two_workers_that_make_its_table_at_once_share_it(site, new_connection):
    ensure_table(site.connection, VISITS)
    provenance = {
        "_drop_id": 1, "_run_id": "test", "_loaded_at": datetime.now(UTC), "_partition_start": date(2020, 1, 1)
    }  # fmt: skip
    waiting = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'CREATE TABLE%'"
    with ThreadPoolExecutor(1) as other:
        with new_connection().transaction() as stalled:
            drop_tables.create_drop_table(stalled.connection, "visits", provenance)
            late = other.submit(drop_tables.create_drop_table, site.connection, "visits", provenance)
            while not new_connection().execute(waiting).rowcount:
                sleep(0.01)
        assert late.result() == drop_tables.DropTable(drop_tables._name(1))
    assert own_tables(site) == ["large_drops.drop_1"]


def test_keys_of_a_table_being_written_are_compared_without_an_index(site, new_connection):
    site.arrive("a.csv", "v1,3,2,1,done")
    with new_connection().transaction() as writing:
        writing.connection.execute("UPDATE raw.visits SET persons = 3")
        assert site.arrive("b.csv", "v1,3,2,1,done", "v2,3,2,1,done").duplicate == 1
    assert [indexed(site, table) for table in own_tables(site)] == [[], []]


def test_its_table_fills_in_where_its_rows_came_from(site, monkeypatch):
    site.arrive("a.csv", "v1,3,2,1,done", year="2019")
    monkeypatch.setattr(load, "LARGE_BYTES", 10**9)
    site.arrive("b.csv", "v2,3,2,1,done", year="2019")
    origin = "_drop_id, _line, _partition_start, _run_id, _loaded_at, _rescued"
    apart, common = site.query(f"SELECT {origin} FROM raw.visits ORDER BY visit")
    first, second = site.drops()
    assert (apart["_drop_id"], common["_drop_id"]) == (first["id"], second["id"])
    assert apart | {"_drop_id": 0, "_loaded_at": 0} == common | {"_drop_id": 0, "_loaded_at": 0}
    assert first["discovered_at"] < apart["_loaded_at"] < common["_loaded_at"] < second["settled_at"]


def test_keys_that_a_large_drop_has_are_known_to_later_drops_and_the_other_way_round(site, monkeypatch):
    site.arrive("a.csv", "v1,3,2,1,done", "v2,3,2,1,done")
    monkeypatch.setattr(load, "LARGE_BYTES", 10**9)
    assert site.arrive("b.csv", "v2,3,2,1,done", "v3,3,2,1,done").duplicate == 1
    monkeypatch.setattr(load, "LARGE_BYTES", 0)
    assert site.arrive("c.csv", "v1,3,2,1,done", "v3,3,2,1,done", "v4,3,2,1,done").duplicate == 2
    assert site.visits() == ["v1", "v2", "v3", "v4"]


def test_only_the_repeated_row_is_deleted_although_other_tables_have_rows_at_its_ctid(site):
    site.arrive("a.csv", "v1,3,2,1,done")
    site.arrive("b.csv", "v2,3,2,1,done")
    assert site.arrive("c.csv", "v2,3,2,1,done", "v3,3,2,1,done").duplicate == 1
    assert site.visits() == ["v1", "v2", "v3"]


def test_a_new_version_replaces_it_and_its_empty_table_is_removed_an_hour_later(site):
    site.arrive("a.csv", "v1,3,2,1,done", "v2,3,2,1,done")
    site.arrive("a.csv", "v1,4,2,1,done")
    assert site.visits() == ["v1"]
    site.arrive("b.csv", "v5,3,2,1,done")
    assert len(own_tables(site)) == 3
    make_old(site)
    site.arrive("c.csv", "v6,3,2,1,done")
    loaded = [drop["id"] for drop in site.drops() if drop["state"] == "loaded"]
    assert own_tables(site) == [f"large_drops.drop_{drop_id}" for drop_id in loaded]


def test_a_table_being_read_is_removed_another_time(site, new_connection):
    site.arrive("a.csv", "v1,3,2,1,done")
    site.arrive("a.csv", "v2,4,2,1,done")
    make_old(site)
    with new_connection().transaction() as reading:
        reading.connection.execute("SELECT FROM raw.visits")
        site.arrive("b.csv", "v3,3,2,1,done")
    assert len(own_tables(site)) == 3


def test_re_ingested_it_has_the_same_rows_from_the_later_run(site):
    site.arrive("a.csv", "v1,3,2,1,done", "v2,3,2,1,done")
    (before,) = site.query("SELECT DISTINCT _loaded_at FROM raw.visits")
    site.take(redo=True, run_id="later")
    assert site.visits() == ["v1", "v2"]
    (after,) = site.query("SELECT DISTINCT _run_id, _loaded_at FROM raw.visits")
    assert after["_run_id"] == "later"
    assert after["_loaded_at"] > before["_loaded_at"]
    assert len(own_tables(site)) == 1


def test_beyond_the_limit_a_large_drop_goes_into_the_common_table(site, monkeypatch):
    monkeypatch.setattr(drop_tables, "MAX_TABLES", 1)
    site.arrive("a.csv", "v1,3,2,1,done")
    site.arrive("b.csv", "v2,3,2,1,done")
    assert (len(own_tables(site)), in_common(site)) == (1, ["v2"])
    site.take(redo=True)
    assert (len(own_tables(site)), in_common(site)) == (1, ["v2"])


def test_a_refused_drop_leaves_no_rows(site):
    site.under(max_bad_share=0.0)
    assert site.arrive("a.csv", "v1,3,2,1,done", "v2,many,2,1,done").state == "quarantined"
    assert site.visits() == []


def test_columns_added_later_are_in_it_too(site):
    site.arrive("a.csv", "v1,3,2,1,done")
    site.under(columns={**VISITS.columns, "mood": column(str, "Mood.")})
    site.put("b.csv", "visit,mood\nv2,good\n")
    site.discover()
    site.take()
    moods = site.query("SELECT visit, mood FROM raw.visits ORDER BY visit")
    assert moods == [{"visit": "v1", "mood": None}, {"visit": "v2", "mood": "good"}]


def test_a_key_declared_later_is_indexed_in_it_too(site):
    site.arrive("a.csv", "v1,3,2,1,done")
    ensure_table(site.connection, site.under(key=("visit", "persons")).contract)
    assert indexed(site, own_tables(site)[0]) == ["(visit, persons)"]


def test_a_query_for_another_drop_or_partition_does_not_scan_it(site):
    site.arrive("a.csv", "v1,3,2,1,done", year="2019")
    site.arrive("b.csv", "v2,3,2,1,done", year="2020")
    first, second = own_tables(site)
    (_, drop) = site.drops()
    for question in (f"_drop_id = {drop['id']}", "_partition_start >= '2020-01-01'"):
        plan = str(site.query(f"EXPLAIN SELECT * FROM raw.visits WHERE {question}"))
        assert first.partition(".")[2] not in plan
        assert second.partition(".")[2] in plan


@pytest.mark.parametrize("together", [False, True])
def test_a_drop_is_not_compared_with_large_ones_of_other_partitions(site, together):
    site.arrive("a.csv", "v1,3,2,1,done", year="2019")
    site.arrive("b.csv", "v2,3,2,1,done", year="2020")
    before = [scans(site, table) for table in own_tables(site)]
    for name in ("c.csv", "d.csv")[: 1 + together]:
        site.put_rows(name, f"{name},3,2,1,done", year="2020")
    site.discover()
    site.take()
    after = [scans(site, table) for table in own_tables(site)]
    assert (after[0], after[1] > before[1]) == (before[0], True)


def test_while_it_is_loaded_another_large_drop_is_loaded_and_rows_are_read(site, new_connection, monkeypatch):
    other = Site(site.store, new_connection(), site.database_url)
    other.connection.execute("SET lock_timeout = '5s'")
    seen: list[list[str]] = []

    def meanwhile(*args):
        monkeypatch.undo()
        monkeypatch.setattr(load, "LARGE_BYTES", 0)
        site_visits = [row["visit"] for row in other.query("SELECT visit FROM raw.visits")]
        other.put_rows("b.csv", "v2,3,2,1,done", year="2019")
        other.discover()
        seen.extend([site_visits, [outcome.state for outcome in other.take(run_id="another")]])
        return load.reject_table_duplicates(*args)

    monkeypatch.setattr(load, "reject_table_duplicates", meanwhile)
    site.arrive("a.csv", "v1,3,2,1,done")
    assert seen == [[], ["loaded"]]
    assert site.visits() == ["v1", "v2"]


def test_without_them_all_rows_are_in_the_datasets_table(site):
    from alembic import command
    from sqlalchemy import create_engine

    from lastmile.warehouse import migrate

    site.arrive("a.csv", "v1,3,2,1,done")
    with create_engine(site.database_url.replace("postgresql:", "postgresql+psycopg:")).begin() as connection:
        config = migrate._config()
        config.attributes["connection"] = connection
        command.downgrade(config, "0006")
    assert in_common(site) == ["v1"]
    with pytest.raises(psycopg.errors.InvalidSchemaName):
        site.connection.execute("CREATE TABLE drop_tables.any ()")
