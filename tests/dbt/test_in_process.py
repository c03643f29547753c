"""dbt without a process of its own: its events come while it works, and Ctrl-C ends what it does in the database."""

import json
import os
import signal
import time
from pathlib import Path
from subprocess import TimeoutExpired

import pytest

from lastmile.orchestration.dbt.project import project_folder
from lastmile.warehouse.dbt.in_process import InProcess

QUIETLY = ("--log-level-file", "none", "--no-write-json")


@pytest.fixture
def start(installation, contracts, tmp_path):
    def start(*arguments):
        return InProcess([*QUIETLY, *arguments], project_folder(contracts), tmp_path)

    return start


def running(installation):
    return installation.select(
        "SELECT pid FROM pg_stat_activity WHERE query ILIKE '%pg_sleep(60)%' AND state = 'active'"
        " AND pid <> pg_backend_pid()"
    )


def test_its_events_are_lines_and_its_code_says_whether_it_succeeded(start):
    one = start("seed", "--select", "country_names")
    names = [json.loads(line)["info"]["name"] for line in one.stdout]
    assert (one.wait(), names.count("LogSeedResult")) == (0, 1)
    wrong = start("build", "--no-such-option")
    assert any("no-such-option" in line.decode() for line in wrong.stdout)
    assert wrong.wait() != 0


def test_the_folder_and_the_variables_of_this_process_stay_as_they_are(start):
    before = Path.cwd(), dict(os.environ)
    one = start("seed", "--select", "country_names")
    list(one.stdout)
    assert (one.wait(), Path.cwd(), dict(os.environ)) == (0, *before)


def test_an_interrupt_cancels_the_statement_it_waits_for(start, installation):
    one = start("show", "--inline", "select pg_sleep(60)")
    end = time.monotonic() + 60
    while not running(installation) and time.monotonic() < end:
        time.sleep(0.1)
    assert running(installation)
    with pytest.raises(TimeoutExpired):
        one.wait(0.1)
    one.send_signal(signal.SIGINT)
    assert one.wait(30) != 0
    assert running(installation) == []
