"""A server that speaks S3, SQS and Secrets Manager, in memory, on 127.0.0.1 only."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def s3_server_at(folder: Path) -> Iterator[str]:
    """Endpoint of a server whose log and working files are in `folder`, ended with all its processes."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    quiet = {
        "SERVICES": "s3,sqs,secretsmanager",
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "LOG_LEVEL": "ERROR",
        "TMPDIR": str(folder),
    }
    place = {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port)}
    command = [sys.executable, "-c", "from ministack.app import main; main()"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            command, env=os.environ | quiet | place, stdout=log, stderr=log, cwd=folder, start_new_session=True
        )
    try:
        deadline = time.monotonic() + 60
        while not _listens(port):
            assert server.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, "the S3 server did not come up within a minute"
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
