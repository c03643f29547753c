"""Runs of a source killed at every step, and histories of kills: nothing is lost, nothing doubled."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from dying_source import STEPS
from orders import moment
from rest_server import Reply

from lastmile.sources import fetches, running, runs
from lastmile.sources.rest.client import Client
from lastmile.store import Store

DYING_SOURCE = Path(__file__).parents[1] / "dying_source.py"


def killed(shop, database_url, where):
    shop.source()  # its route is there
    done = subprocess.run(
        [sys.executable, DYING_SOURCE, database_url, shop.store.url, shop.api.url, where],
        env=os.environ | {"PYTHONPATH": str(DYING_SOURCE.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.mark.parametrize("is_ingested", [True, False], ids=["ingested in between", "not ingested in between"])
@pytest.mark.parametrize("where", STEPS)
def test_a_run_killed_at_any_step_loses_and_doubles_nothing(shop, database_url, where, is_ingested):
    shop.add(*range(15))
    shop.fetch()
    shop.ingest()
    shop.add(*range(15, 40))
    killed(shop, database_url, where)
    if is_ingested:
        shop.ingest()
    shop.add(40)
    shop.fetch()
    shop.ingest()
    assert shop.rows() == shop.once()
    assert shop.fetch().state == "nothing new"
    states = [one["state"] for one in runs.times(shop.connection, "shop", 9)]
    assert states == ["nothing new", "landed", "failed", "landed"]


def test_a_run_that_was_killed_says_what_it_left(shop, database_url):
    shop.add(1)
    killed(shop, database_url, "after the put")
    (event,) = shop.fetch().events
    assert event.startswith("a run was killed after it had put landing/orders/")
    assert runs.times(shop.connection, "shop", 2)[1]["message"] == "it was killed"


class Killed(BaseException):
    """As far as it can be had within one process: nothing of the run goes on, not even its history."""


def die(*_, **__):
    raise Killed


PLACES = [(Client, "_try"), (running, "_land"), (Store, "put"), (fetches, "landed"), (runs, "end")]


@pytest.mark.parametrize("seed", range(6))
def test_any_history_of_fetches_kills_and_ingestions_ends_with_each_record_once(shop, monkeypatch, seed):
    """Records appear late, some bad, some drops are quarantined whole; the server may not heed the cursor."""
    chance = random.Random(seed)
    shop.heeds = chance.random() < 0.7
    clock = 0.0
    for _ in range(25):
        action = chance.choice(["add", "add", "fetch", "fetch", "kill", "ingest", "bad"])
        clock += 1
        if action == "add":
            shop.add(*(clock - chance.uniform(0, 8) for _ in range(chance.randint(1, 15))))
        elif action == "fetch":
            shop.fetch()
        elif action == "ingest":
            shop.ingest()
        elif action == "bad":
            shop.answer, good = (lambda request: Reply(BAD if request.params["page"] == "1" else [])), shop.answer
            shop.fetch()
            shop.answer = good
        else:
            with monkeypatch.context() as patched:
                patched.setattr(*chance.choice(PLACES), die)
                patched.setattr(runs, "end", die)
                with pytest.raises(Killed):
                    shop.fetch()
    for _ in range(2):
        shop.fetch()
        shop.ingest()
    assert shop.rows() == shop.once()
    assert shop.fetch().state == "nothing new"


#: More bad records than a drop may have.
BAD = [{"order_id": None, "at": moment(5), "amount": number} for number in range(3)]
