"""A process that only predicts: small, without what models are trained with, and answering while Postgres is away."""

import json
import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest
from end_to_end.installation import wait_for
from fields import YIELD
from learned import declare, learned

from lastmile.access import keys
from lastmile.access.secret import secret
from lastmile.embedded import postgres
from lastmile.learning.training.fitting import predicted
from lastmile.settings import Settings
from lastmile.warehouse.connections import connect
from lastmile.warehouse.migrate import migrate

#: What it must do without; a signal has it write down what it has.
UNWANTED = ("pandas", "polars", "pandera", "sklearn", "scipy", "dagster", "pyarrow", "skops", "onnx", "skl2onnx")
_MAIN = """
import pathlib, signal, sys
signal.signal(signal.SIGUSR1, lambda *_: pathlib.Path(sys.argv.pop()).write_text("\\n".join(sys.modules)))
from lastmile.serving.app import PREDICTIONS
from lastmile.serving.server import serve
from lastmile.serving.state import Serving
serve(Serving.from_environment(), int(sys.argv[1]), parts=PREDICTIONS)
"""
#: Resident after its first predictions; what it has when it was written is 150 MB.
_MOST_BYTES = 220e6


@dataclass
class Process:
    client: httpx.Client
    process: psutil.Process
    url: str
    server: Path
    modules: Path
    known: object

    def ask(self, **body):
        return self.client.post("/api/v1/models/fields/predict", json=body)


@pytest.fixture
def process(home, store, tmp_path):
    server, modules = tmp_path / "postgres", tmp_path / "modules"
    with postgres.started(server) as url:
        migrate(url)
        with connect(url) as connection:
            known = learned(connection, store)
            declare(connection)
            key, _ = keys.create(connection, secret(Settings.from_environment()), "an analyst", "analyst", "test")
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        variables = os.environ | {"LASTMILE_DATABASE_URL": url, "LASTMILE_HOME": str(home)}
        running = subprocess.Popen([sys.executable, "-c", _MAIN, str(port), str(modules)], env=variables)
        try:
            headers = {"Authorization": f"Bearer {key}"}
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=20) as client:
                wait_for(lambda: _answers(client))
                yield Process(client, psutil.Process(running.pid), url, server, modules, known)
        finally:
            running.kill()
            running.wait()


def _answers(client):
    try:
        return client.get("/api/v1/health/live").is_success
    except httpx.TransportError:
        return False


def logged(url):
    with connect(url) as connection:
        return connection.execute("SELECT count(*) FROM registry.answers").fetchone()[0]


def test_it_predicts_without_what_models_are_trained_with_in_little_memory(process):
    rows = [process.known.row(number) for number in range(100)]
    found = process.ask(rows=rows, reasons=True).json()["predictions"]
    expected = predicted(YIELD, process.known.estimators["1"], process.known.rows.head(100))[:, 2]
    assert np.allclose([one["probability"] for one in found], expected, atol=1e-4)
    assert process.ask(ids=["field 0"]).json()["predictions"][0]["version"] == "1"
    process.process.send_signal(signal.SIGUSR1)
    wait_for(lambda: process.modules.exists() or process.ask(row=rows[0]).is_error)
    present = {name.partition(".")[0] for name in process.modules.read_text().split()}
    assert "onnxruntime" in present
    assert present.isdisjoint(UNWANTED)
    assert process.process.memory_info().rss < _MOST_BYTES


def test_while_postgres_is_stopped_rows_are_answered_and_nothing_of_the_log_is_lost(process):
    row = process.known.row(1)
    before = process.ask(row=row).json()
    assert postgres.stop(process.server)
    for _ in range(20):
        answer = process.ask(row=row)
        assert (answer.status_code, answer.json()) == (200, before)
    away = process.ask(ids=["field 0"])
    assert (away.status_code, away.headers["retry-after"]) == (503, "5")
    with postgres.started(process.server):
        wait_for(lambda: process.ask(ids=["field 0"]).status_code == 200)
        wait_for(lambda: logged(process.url) == 22)
        with connect(process.url) as connection:  # changes are heard again
            from experimenting import CAUSE

            from lastmile.learning.registry import deployments

            deployments.roll_back(connection, process.known.versions[1], CAUSE)
        wait_for(lambda: process.ask(row=row).json()["version"] == "2")


def test_at_its_end_what_was_answered_is_in_the_log(process):
    for number in range(30):
        assert process.ask(row=process.known.row(number)).status_code == 200
    process.process.send_signal(signal.SIGTERM)
    process.process.wait(20)
    assert logged(process.url) == 30
    with connect(process.url) as connection:
        (output,) = connection.execute("SELECT output FROM registry.answers LIMIT 1").fetchone()
    assert sorted(output) == ["level", "probabilities"]
    assert json.dumps(process.known.row(0)["rain_mm"]) not in json.dumps(output)
