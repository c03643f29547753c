"""A platform that has nothing to do looks seldom, and sees at once what comes."""

import time

from end_to_end.installation import wait_for

#: Seconds after the last end for which the daemon looks more often, and a few more.
QUIET_AFTER = 100


def await_quiet(platform):
    working = "SELECT 1 FROM dagster.runs WHERE status NOT IN ('SUCCESS', 'FAILURE', 'CANCELED')"
    recent = f"SELECT 1 FROM dagster.runs WHERE end_time > extract(epoch FROM now()) - {QUIET_AFTER}"
    wait_for(lambda: platform.query(working) == [] and platform.query(recent) == [], 600)


def test_the_sensors_of_an_idle_platform_look_once_a_minute(platform):
    await_quiet(platform)
    time.sleep(30)
    (looks,) = platform.query("SELECT count(*) FROM dagster.job_ticks WHERE timestamp > now() - interval '30 seconds'")
    assert looks <= 6, "three sensors, each a minute; while they look every few seconds it is dozens"


def test_a_drop_that_comes_to_an_idle_platform_is_in_the_ledger_at_once(platform):
    await_quiet(platform)
    file = platform.home / "store" / "landing" / "lstk" / "2019" / "idle.csv"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("hhid,name,n\nidle_1,goats,3\n")
    found = "SELECT id FROM ledger.drops WHERE key = 'landing/lstk/2019/idle.csv'"
    assert wait_for(lambda: platform.query(found), 20, every=0.1), "sooner than the look of the minute"
    wait_for(lambda: platform.query("SELECT count(*) FROM raw.lstk WHERE hhid = 'idle_1'") == [1], 240)
