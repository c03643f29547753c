"""The code server of the platform: clients of Dagster's see one server, whose code is loaded anew when they say so."""

import socket
import subprocess
import sys
import time

import psutil
import pytest
from dagster_private import DagsterGrpcClient, dagster_api_pb2, origin_of

from lastmile.embedded.processes import free_port
from lastmile.orchestration.dagster_compat import code_proxy, code_server

CODE = """
import dagster as dg

@dg.asset
def {name}(): ...

defs = dg.Definitions(assets=[{name}])
"""


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "location.py"
    file.write_text(CODE.format(name="first"))
    return file


@pytest.fixture
def server(file):
    port = free_port()
    command = [sys.executable, "-m", "lastmile.orchestration.code_server", str(port), "-f", str(file)]
    server = subprocess.Popen(command, start_new_session=True)
    deadline = time.monotonic() + 120
    while not answers(port):
        assert server.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.2)
    server.client = DagsterGrpcClient(host="127.0.0.1", port=port)
    server.port = port
    yield server
    server.terminate()
    server.wait(30)


def answers(port):
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


def behind(server):
    return [one.pid for one in psutil.Process(server.pid).children() if "grpc" in one.cmdline()]


def told(server):
    """All that the server tells of its code."""
    return str(server.client.external_repository(origin_of(server.port)))


def test_calls_answered_by_a_stream_are_handed_on_as_they_come(server):
    assert [one["echo"] for one in server.client.streaming_ping(3, "still there?")] == ["still there?"] * 3


def test_a_reload_shows_the_code_as_it_is_now_and_that_it_is_another_server(server, file):
    assert '"first"' in told(server)
    before, old = server.client.get_server_id(), behind(server)
    file.write_text(CODE.format(name="second"))
    assert '"first"' in told(server)
    assert code_server.reload_code("127.0.0.1", server.port, 120) is None
    assert '"second"' in told(server)
    assert server.client.get_server_id() != before
    deadline = time.monotonic() + 30
    while psutil.pid_exists(old[0]):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_code_that_does_not_load_is_told_after_a_reload_and_is_good_again_after_the_next(server, file):
    file.write_text("def half(:\n")
    assert "SyntaxError" in str(code_server.reload_code("127.0.0.1", server.port, 120))
    file.write_text(CODE.format(name="third"))
    assert code_server.reload_code("127.0.0.1", server.port, 120) is None


def test_a_server_whose_inner_one_is_killed_ends_so_that_it_is_started_again(server):
    (inner,) = behind(server)
    psutil.Process(inner).kill()
    assert server.wait(30) is not None


def test_a_server_that_is_ended_leaves_nothing_behind(server):
    (inner,) = behind(server)
    server.terminate()
    server.wait(30)
    deadline = time.monotonic() + 10
    while psutil.pid_exists(inner):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_calls_that_are_answered_by_a_stream_are_those_of_dagsters_protocol():
    methods = dagster_api_pb2.DESCRIPTOR.services_by_name["DagsterApi"].methods
    assert {f"/api.DagsterApi/{one.name}" for one in methods if one.server_streaming} == code_proxy._STREAMS
    assert {code_proxy._RELOAD, code_proxy._END} <= {f"/api.DagsterApi/{one.name}" for one in methods}
    assert not any(one.client_streaming for one in methods)
