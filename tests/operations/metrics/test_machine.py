"""The processes and disks of the exporter's machine."""

import json
import os
import subprocess
import sys
from dataclasses import asdict

import pytest

from lastmile.operations.metrics.machine import disks, processes
from lastmile.process import Process

WAITS = "import sys; sys.stdin.read()"
#: A leader of a group with two workers in it.
WITH_WORKERS = f"""
import subprocess, sys
found = [subprocess.Popen([sys.executable, "-c", {WAITS!r}], stdin=sys.stdin) for _ in range(2)]
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def started(settings):
    """Starts services of the home, in groups of their own, and writes them down as `up` does."""
    settings.home.mkdir()
    services = []

    def start(name, source):
        command = [sys.executable, "-c", source]
        service = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        services.append((name, service))
        known = [asdict(Process.of(name, one.pid)) for name, one in services]
        (settings.home / "processes.json").write_text(json.dumps(known))
        return service

    yield start
    for _, service in services:
        service.stdin.close()
        service.wait(60)
        service.stdout.close()


def values(families):
    return {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}


def test_a_service_is_up_until_it_ends(settings, started):
    started("api", WAITS)
    ended = started("webserver", WAITS)
    assert values(processes(settings))["lastmile_process_up", "webserver"] == 1
    ended.kill()
    ended.wait()
    found = values(processes(settings))
    assert (found["lastmile_process_up", "webserver"], found["lastmile_process_up", "api"]) == (0, 1)
    assert found["lastmile_process_resident_bytes", "api"] > 1_000_000
    assert ("lastmile_process_resident_bytes", "webserver") not in found


def test_the_workers_of_the_daemon_count_as_runs_together(settings, started):
    daemon = started("daemon", WITH_WORKERS)
    assert daemon.stdout.readline() == b"ready\n"
    found = values(processes(settings))
    assert (found["lastmile_processes", "run"], found["lastmile_processes", "daemon"]) == (2, 1)
    assert ("lastmile_process_cpu_seconds_total", "run") not in found  # it would fall when one ends


def test_where_up_does_not_run_there_are_no_processes(settings):
    assert [one for family in processes(settings) for one in family.samples] == []


def test_a_list_of_processes_that_is_half_written_costs_no_scrape(settings, started):
    (settings.home / "processes.json").write_text('[{"name": "api", "pi')
    assert values(processes(settings)) == {}


def test_the_room_of_the_home_and_of_a_folder_of_objects_is_shown(settings):
    settings.home.mkdir()
    found = values(disks(settings))
    free = os.statvfs(settings.home)
    assert found["lastmile_disk_bytes", "home"] == free.f_blocks * free.f_frsize
    assert ("lastmile_disk_free_bytes", "store") not in found  # it is not there yet
