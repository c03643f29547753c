"""The API as a process: it comes up, answers this machine only, and ends on a signal."""

import os
import signal
import socket
import subprocess
import sys

import psutil
import pytest
from end_to_end.installation import wait_for

from lastmile.embedded.ports import choose
from lastmile.errors import UserError


def _listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.behaviour(number=31)
def test_the_process_that_up_starts_listens_on_this_machine_only_and_ends_in_order(settings):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    variables = os.environ | {"LASTMILE_HOME": str(settings.home)}
    process = subprocess.Popen([sys.executable, "-m", "lastmile.serving", str(port)], env=variables)
    try:
        wait_for(lambda: _listens(port))
        listening = [at for at in psutil.Process(process.pid).net_connections() if at.status == "LISTEN"]
        assert [(at.laddr.ip, at.laddr.port) for at in listening] == [("127.0.0.1", port)]
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) in (0, -signal.SIGTERM)
    finally:
        process.kill()


def test_a_port_that_is_taken_is_reported_and_a_free_one_is_found_otherwise():
    with socket.create_server(("127.0.0.1", 0)) as ingested:
        port = ingested.getsockname()[1]
        with pytest.raises(UserError, match=f"port {port} is in use; choose another with --api-port"):
            choose(port, 3100, "--api-port")
        assert choose(None, port, "--api-port") > port
    with pytest.raises(UserError, match="is in use"):
        choose(port, 3100, "--api-port", used=(port,))
