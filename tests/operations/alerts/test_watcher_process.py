"""The watcher as a process: small, ended by SIGTERM, and after `kill -9` nothing is lost or doubled."""

import os
import re
import signal
import subprocess
import sys
import urllib.request

import psutil
import pytest
from alerting import declare, webhook
from end_to_end.installation import wait_for

from lastmile.contracts import Alert, Alerts, Route
from lastmile.embedded.processes import free_port
from lastmile.operations.alerts.delivery import outbox

HEAVY = ("dagster", "pandas", "pandera", "polars", "sklearn", "sqlalchemy")
MOST_MB = 90


@pytest.fixture
def watcher(site, settings, tmp_path):
    """Starts one, whose rules need not last; they look ten times a second."""
    site.under(alerts=Alerts(bad_share=Alert(0.1, lasting=Alert(1).lasting * 0)))
    declare(site.database_url, site.contract, Route(channels=("team",)))
    started = []

    def start(channel):
        port = free_port()
        variables = {
            **os.environ,
            "LASTMILE_STORE_URL": site.store.url,
            "LASTMILE_ALERTS_CHANNELS": f"team={channel}",
            "LASTMILE_ALERTS_SECONDS": "0.1",
            "LASTMILE_ALERTS_GROUP_SECONDS": "0",
        }
        with (tmp_path / "watcher.log").open("a") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "lastmile.operations.watching", str(port)], env=variables, stderr=log
            )
        process.log, process.port = tmp_path / "watcher.log", port
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def bad_drop(site):
    site.arrive("a.csv", "v1,bad,2,1,done", "v2,bad,2,1,done", "v3,3,2,1,done")


def test_it_sends_what_fires_and_its_end_shows_metrics_and_ends_on_sigterm(site, watcher):
    with webhook() as hook:
        process = watcher(hook.address)
        bad_drop(site)
        wait_for(lambda: hook.titles, 60)
        site.query("UPDATE ledger.drops SET discarded_at = now() RETURNING id")
        wait_for(lambda: len(hook.titles) > 1, 60)
        with urllib.request.urlopen(f"http://127.0.0.1:{process.port}/metrics", timeout=10) as answer:
            assert answer.status == 200
        assert psutil.Process(process.pid).memory_full_info().uss / 2**20 < MOST_MB
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert hook.titles == ["[warning] bad_share: visits 2020", "[warning] over: bad_share: visits 2020"]
    assert "Traceback" not in process.log.read_text()


def test_killed_while_its_channel_is_down_the_next_one_sends_each_message_once(site, watcher):
    with webhook() as hook:
        hook.status = 503
        process = watcher(hook.address)
        bad_drop(site)
        wait_for(lambda: "not sent to team" in process.log.read_text(), 60)
        process.kill()
        process.wait()
        hook.status = 200
        site.query("UPDATE operations.alert_deliveries SET next_at = now() RETURNING message")
        watcher(hook.address)
        wait_for(lambda: hook.titles, 60)
        wait_for(lambda: outbox.messages(site.connection, 1)[0]["delivered"], 60)
        assert hook.titles == ["[warning] bad_share: visits 2020"]


def test_it_imports_nothing_heavy():
    code = (
        "import sys, lastmile.operations.watching.watcher, apprise, lastmile.operations.metrics.exporter;"
        "print(sorted(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert [name for name in HEAVY if re.search(rf"'{name}'", done.stdout)] == []
