"""A platform that has nothing to do costs next to nothing, and sees at once what comes."""

import time

import psutil
from end_to_end.installation import wait_for

#: Seconds after the last end for which the daemon looks every second, and a few more.
QUIET_AFTER = 25
#: Of one core, on a machine that may be busy with other tests: idle platforms took 12 % before their loops waited.
MOST_OF_A_CORE = 0.06


def await_quiet(platform):
    working = "SELECT 1 FROM dagster.runs WHERE status NOT IN ('SUCCESS', 'FAILURE', 'CANCELED')"
    recent = f"SELECT 1 FROM dagster.runs WHERE end_time > extract(epoch FROM now()) - {QUIET_AFTER}"
    wait_for(lambda: platform.query(working) == [] and platform.query(recent) == [], 600)


def cpu_seconds(processes):
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def test_an_idle_platform_hardly_uses_the_processor(platform):
    await_quiet(platform)
    processes = [one for one in platform.processes() if "forkserver" not in " ".join(one.cmdline())]
    before = cpu_seconds(processes)
    time.sleep(30)
    share = (cpu_seconds(processes) - before) / 30
    memory = sum(process.memory_full_info().pss for process in processes if psutil.pid_exists(process.pid))
    print(f"idle: {share:.1%} of a core, {memory / 2**20:.0f} MB")
    assert share < MOST_OF_A_CORE


def test_a_drop_that_comes_to_an_idle_platform_is_in_the_ledger_at_once(platform):
    await_quiet(platform)
    file = platform.home / "store" / "landing" / "lstk" / "2019" / "idle.csv"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("hhid,name,n\nidle_1,goats,3\n")
    began = time.monotonic()
    found = "SELECT id FROM ledger.drops WHERE key = 'landing/lstk/2019/idle.csv'"
    wait_for(lambda: platform.query(found), 20, every=0.1)
    print(f"in the ledger after {time.monotonic() - began:.1f} s")
    assert time.monotonic() - began < 4
    wait_for(lambda: platform.query("SELECT count(*) FROM raw.lstk WHERE hhid = 'idle_1'") == [1], 240)
