"""Tables by partition: a run makes the partitions of its window, whole, once, whatever runs next to it."""

import time

HOUSEHOLDS = "SELECT partition_start, count(*) FROM intermediate.int_household GROUP BY 1 ORDER BY 1"
WAITED_FOR = """
SELECT DISTINCT ON (pid) locktype FROM pg_locks
WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY pid
"""


def years(start, end):
    """Options that make these partitions, first and last included."""
    return ["--select", "intermediate", "--event-time-start", f"{start}-01-01", "--event-time-end", f"{end + 1}-01-01"]


def made(warehouse):
    return {day.year: count for day, count in warehouse.select(HOUSEHOLDS)}


def put_households(warehouse, **counts):
    for year, count in counts.items():
        for number in range(count):
            warehouse.put_household(int(year[1:]), f"{year}_{number}")


def test_only_the_partitions_of_the_window_are_made(warehouse):
    put_households(warehouse, y2015=1, y2016=2, y2017=3, y2018=4)
    warehouse.run("run", *years(2016, 2017))
    assert made(warehouse) == {2016: 2, 2017: 3}


def test_making_a_partition_again_replaces_its_rows_and_no_others(warehouse):
    put_households(warehouse, y2016=2, y2017=3)
    warehouse.run("run", *years(2016, 2017))
    warehouse.connection.execute("UPDATE raw.hhinfo SET land_owned_ha = 7")
    warehouse.run("run", *years(2017, 2017))
    assert made(warehouse) == {2016: 2, 2017: 3}
    land = "SELECT survey_year, min(land_owned_ha), max(land_owned_ha) FROM intermediate.int_household GROUP BY 1"
    assert sorted(warehouse.select(land)) == [(2016, None, None), (2017, 7, 7)]


def test_a_partition_that_became_empty_loses_its_rows(warehouse):
    put_households(warehouse, y2016=2, y2017=3)
    warehouse.put("crop", 2017, hhid="y2017_0", name="maize")
    warehouse.run("run", *years(2016, 2017))
    warehouse.connection.execute("DELETE FROM raw.hhinfo WHERE year = 2017")
    warehouse.connection.execute("DELETE FROM raw.crop")
    warehouse.run("run", *years(2017, 2017))
    assert made(warehouse) == {2016: 2}
    assert warehouse.select("SELECT * FROM intermediate.int_household_crops") == []


def test_without_a_window_every_partition_is_made(warehouse):
    put_households(warehouse, y2015=1, y2016=2)
    warehouse.run("run", "--select", "intermediate")
    warehouse.connection.execute("DELETE FROM raw.hhinfo WHERE year = 2015")
    warehouse.run("run", "--select", "intermediate")
    assert made(warehouse) == {2016: 2}


def test_a_full_refresh_of_a_window_is_refused_because_it_would_drop_the_other_partitions(warehouse):
    put_households(warehouse, y2015=1, y2016=2)
    warehouse.run("run", "--select", "intermediate")
    refused = warehouse.try_to_run("run", "--full-refresh", *years(2016, 2016))
    assert not refused.success
    assert "use one of the two" in str([result.message for result in refused.result])
    assert made(warehouse) == {2015: 1, 2016: 2}


def test_of_overlapping_runs_at_once_the_second_waits_before_it_reads_and_no_rows_are_doubled(warehouse):
    put_households(warehouse, y2016=2, y2017=3, y2018=4)
    with warehouse.connection.transaction():
        warehouse.connection.execute("LOCK TABLE raw.hhinfo IN ACCESS EXCLUSIVE MODE")
        runs = [
            warehouse.start("run", *years(*window), "--exclude", "int_household_*", "int_retail_*", "int_community_*")
            for window in ((2016, 2017), (2017, 2018))
        ]
        assert locks_waited_for(warehouse, runs) == ["advisory", "relation"]
        warehouse.put_household(2017, "came_meanwhile")
    printed = [run.communicate(timeout=60)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], printed
    assert made(warehouse) == {2016: 2, 2017: 4, 2018: 4}


def locks_waited_for(warehouse, runs):
    """What the runs are waiting for, once all of them wait."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if len(found := warehouse.select(WAITED_FOR)) == len(runs):
            return sorted(kind for (kind,) in found)
        time.sleep(0.1)
    raise AssertionError(f"{len(runs)} runs should wait by now; waiting: {found}")
