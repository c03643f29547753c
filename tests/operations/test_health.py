"""Health of each process, by real requests: of servers that answer, that say no, and that are not there."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import psycopg
import pytest
from commands import Commands
from typer.testing import CliRunner

from lastmile.cli.app import app
from lastmile.embedded.processes import free_port
from lastmile.operations.health import code_server, web
from lastmile.operations.health.answer import answer
from lastmile.operations.health.database import WORKER_TAG
from lastmile.operations.health.endpoints import endpoints, note
from lastmile.operations.health.health import health
from lastmile.process import Process
from lastmile.settings import Settings


@contextmanager
def answering(status: int, body: bytes = b"{}") -> Iterator[int]:
    """The port of a server that gives one answer to everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@contextmanager
def serving_code(reply: bytes | None) -> Iterator[int]:
    """The port of a code server whose health is that; None where it knows no health."""

    class Health(grpc.GenericRpcHandler):
        def service(self, call):
            if reply is None or call.method != "/grpc.health.v1.Health/Check":
                return None
            return grpc.unary_unary_rpc_method_handler(self.check)

        def check(self, request, context):
            assert request == b"\x0a\x0aDagsterApi"
            return reply

    server = grpc.server(ThreadPoolExecutor(1), handlers=[Health()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield port
    server.stop(None)


@pytest.fixture
def dagster_tables(database_url: str) -> Iterator[psycopg.Connection]:
    """What is read of Dagster's own tables."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA IF NOT EXISTS dagster")
        connection.execute("CREATE TABLE dagster.daemon_heartbeats (daemon_type text, timestamp timestamptz)")
        connection.execute("CREATE TABLE dagster.runs (id serial, run_id text, status text)")
        connection.execute("CREATE TABLE dagster.run_tags (run_id text, key text, value text)")
        yield connection
        for table in ("daemon_heartbeats", "runs", "run_tags"):
            connection.execute(f"DROP TABLE dagster.{table}")


def found(settings: Settings, process: str, live: bool = False, **more: object):
    [one] = health(settings, settings.given_database_url, process, live, **more)
    return one


@pytest.mark.parametrize("process", ["api", "webserver", "watcher"])
def test_a_process_that_answers_is_well(settings, process):
    with answering(200) as port:
        assert found(settings, process, port=port).ok
        note_at(settings, process, port)
        assert found(settings, process, live=True).ok


def note_at(settings: Settings, process: str, port: int) -> None:
    settings.home.mkdir(exist_ok=True)
    note(settings.home, {process: port})
    assert endpoints(settings.home) == {process: port}


def test_one_that_is_not_ready_says_why_in_its_own_words():
    with answering(503, json.dumps({"detail": "the store is not ready: gone"}).encode()) as port:
        one = web.answers("api", port, live=False)
    assert (one.ok, one.found) == (False, f"the store is not ready: gone (HTTP 503 on port {port})")


def test_the_web_ui_is_there_for_who_has_not_signed_in():
    with answering(401) as port:
        assert web.answers("webserver", port, live=False).ok


def test_one_that_is_not_there_is_named_with_what_to_do():
    for one in (web.answers("api", free_port(), live=True), code_server.answers(free_port(), live=True)):
        assert not one.ok
        assert "no answer on port" in one.found
        assert "; " in one.found


@pytest.mark.parametrize(
    ("reply", "live", "ready"), [(b"\x08\x01", True, True), (b"\x08\x02", True, False), (None, True, False)]
)
def test_a_code_server_lives_when_it_answers_and_is_ready_when_it_serves(reply, live, ready):
    with serving_code(reply) as port:
        assert code_server.answers(port, live=True).ok is live
        assert code_server.answers(port, live=False).ok is ready


def test_a_daemon_is_known_by_its_heartbeat(settings, dagster_tables):
    assert "never heard of" in found(settings, "daemon").found
    dagster_tables.execute("INSERT INTO dagster.daemon_heartbeats VALUES ('SENSOR', now() - interval '20 seconds')")
    assert found(settings, "daemon").ok
    dagster_tables.execute("UPDATE dagster.daemon_heartbeats SET timestamp = now() - interval '10 minutes'")
    one = found(settings, "daemon", live=True)
    assert not one.ok
    assert "not heard of for 600 s" in one.found


def test_a_run_whose_worker_is_gone_is_named(settings, dagster_tables):
    assert found(settings, "workers").ok
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    for run, pid in (("lives", os.getpid()), ("lost", child.pid)):
        tag = json.dumps(asdict(Process.of(run, pid)))
        dagster_tables.execute("INSERT INTO dagster.runs (run_id, status) VALUES (%s, 'STARTED')", (run,))
        dagster_tables.execute("INSERT INTO dagster.run_tags VALUES (%s, %s, %s)", (run, WORKER_TAG, tag))
    assert found(settings, "workers").found == "2 at work"
    child.kill()
    child.wait()
    one = found(settings, "workers")
    assert not one.ok
    assert "the worker of lost is gone" in one.found


def test_without_a_database_the_daemon_is_not_ready_but_is_not_started_anew_for_it(settings):
    url = f"postgresql://u@127.0.0.1:{free_port()}/d"
    [ready], [live] = (health(settings, url, "daemon", live) for live in (False, True))
    assert (ready.ok, live.ok) == (False, True)
    [database] = health(settings, url, "database", live=True)
    assert not database.ok


def test_all_are_looked_at_unless_one_is_named(settings, dagster_tables):
    with answering(200) as port:
        note_at(settings, "watcher", port)
        names = [one.process for one in health(settings, settings.given_database_url, None, live=True)]
    assert names == ["watcher", "database", "daemon", "workers"]


def test_the_command_is_a_probe(settings):
    with answering(200) as port:
        done = CliRunner().invoke(app, ["health", "api", "--live", "--port", str(port)])
        assert (done.exit_code, done.stdout.split()[:2]) == (0, ["api", "ok"])
    done = CliRunner().invoke(app, ["health", "api", "--port", str(free_port()), "--json"])
    assert done.exit_code == 1
    assert json.loads(done.stdout)["checks"][0]["ok"] is False
    assert "no process 'apo': expected one of" in Commands("health").mistake("apo")


def test_a_probe_costs_little_and_imports_neither_dagster_nor_pandas(settings):
    with answering(200) as port:
        code = (
            "import sys, time; from lastmile.cli.app import app\n"
            f"try: app(['health', 'api', '--port', '{port}'])\n"
            "except SystemExit: pass\n"
            "print(time.process_time(), [m for m in ('dagster', 'pandas', 'polars') if m in sys.modules])"
        )
        said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    seconds, modules = said.splitlines()[-1].split(" ", 1)
    assert modules == "[]"
    assert float(seconds) < 1.5, "0.4 on an idle machine"


def test_a_process_answers_probes_with_what_is_missing():
    assert answer("/health/live") == (HTTPStatus.OK, b'{"status": "alive"}')
    assert answer("/health/ready?x=1") == (HTTPStatus.OK, b'{"status": "ready"}')
    status, body = answer("/health/ready", lambda: ["the database is away"]) or (0, b"")
    assert (status, json.loads(body)) == (503, {"detail": "the database is away"})
    assert answer("/metrics") is None


def test_a_server_that_hangs_is_given_up_within_seconds(monkeypatch):
    monkeypatch.setattr(web, "_SECONDS", 0.3)
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        one = web.answers("api", silent.getsockname()[1], live=True)
    assert not one.ok
    assert time.monotonic() - began < 5
