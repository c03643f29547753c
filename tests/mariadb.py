"""A MariaDB of the tests' own, where it is installed: on 127.0.0.1, at a free port, with its data in a folder."""

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pymysql
import pytest

_SECONDS = 60


@contextmanager
def mariadb_at(folder: Path) -> Iterator[str]:
    """Its URL, as a user who may do all. Skips the test where there is no server."""
    path = f"{os.environ['PATH']}:/usr/sbin"
    server, install = (shutil.which(name, path=path) for name in ("mariadbd", "mariadb-install-db"))
    if server is None or install is None:
        pytest.skip("needs a MariaDB: apt-get install mariadb-server-core mariadb-client-core")
    data, port, password = folder / "data", _free_port(), secrets.token_hex(8)
    as_root = ["--user=root"] if os.getuid() == 0 else []
    folder.mkdir(parents=True, exist_ok=True)
    made = [
        install,
        "--no-defaults",
        f"--datadir={data}",
        "--auth-root-authentication-method=normal",
        "--force",
        *as_root,
    ]
    subprocess.run(made, check=True, capture_output=True)
    first = folder / "first.sql"
    user = "shop@'127.0.0.1'"
    first.write_text(f"CREATE USER {user} IDENTIFIED BY '{password}';\nGRANT ALL ON *.* TO {user};\n")
    settings = [
        f"--datadir={data}", f"--socket={folder / 's'}", f"--port={port}", "--bind-address=127.0.0.1",
        "--skip-name-resolve", f"--init-file={first}", f"--pid-file={folder / 'pid'}",
        "--innodb-flush-log-at-trx-commit=0",
    ]  # fmt: skip
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen([server, "--no-defaults", *settings, *as_root], stdout=log, stderr=log)
    try:
        _wait(port, password, folder / "server.log")
        yield f"mysql://shop:{password}@127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait(_SECONDS)


def _wait(port: int, password: str, log: Path) -> None:
    deadline = time.monotonic() + _SECONDS
    while True:
        try:
            pymysql.connect(host="127.0.0.1", port=port, user="shop", password=password).close()
        except pymysql.MySQLError:
            assert time.monotonic() < deadline, log.read_text()[-2000:]
            time.sleep(0.2)
        else:
            return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
