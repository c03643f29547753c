"""The embedded server is started, killed, raced and moved for real."""

import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from lastmile.embedded import postgres
from lastmile.embedded.privileges import identity_for
from lastmile.errors import UserError


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "postgres"
    postgres.stop(tmp_path / "postgres")


def query(url: str, statement: str) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement)  # type: ignore[call-overload]
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def server_process(folder: Path) -> int:
    return int((folder / "data" / "postmaster.pid").read_text().splitlines()[0])


def test_rows_outlive_a_stop_and_the_address_stays(folder: Path) -> None:
    url = postgres.start(folder)
    query(url, "CREATE TABLE kept AS SELECT 42 AS answer")
    assert postgres.stop(folder)
    assert postgres.running(folder) is None
    assert postgres.start(folder) == url
    assert query(url, "SELECT answer FROM kept") == 42


def test_starting_twice_attaches_to_the_same_server(folder: Path) -> None:
    first = postgres.start(folder)
    process = server_process(folder)
    assert postgres.start(folder) == first == postgres.running(folder)
    assert server_process(folder) == process


def test_processes_that_race_share_one_server(folder: Path) -> None:
    code = (
        "import sys, pathlib; from lastmile.embedded import postgres; print(postgres.start(pathlib.Path(sys.argv[1])))"
    )

    def race(_: int) -> str:
        return subprocess.run([sys.executable, "-c", code, folder], check=True, capture_output=True, text=True).stdout

    with ThreadPoolExecutor(4) as racers:
        assert len(set(racers.map(race, range(4)))) == 1


def test_a_killed_server_comes_back_with_what_it_had_committed(folder: Path) -> None:
    url = postgres.start(folder)
    query(url, "CREATE TABLE kept AS SELECT 42 AS answer")
    os.kill(server_process(folder), signal.SIGKILL)
    deadline = time.monotonic() + 10
    while postgres.running(folder) is not None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert postgres.running(folder) is None
    assert postgres.start(folder) == url
    assert query(url, "SELECT answer FROM kept") == 42


def test_a_query_that_outlives_its_killed_server_does_not_hold_up_the_next(folder: Path) -> None:
    url = postgres.start(folder)
    endless = "DO $$ DECLARE i bigint := 0; BEGIN LOOP i := i + 1; END LOOP; END $$"
    with ThreadPoolExecutor(1) as client:
        result = client.submit(query, url, endless)
        while not query(url, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'DO %' AND state = 'active'"):
            time.sleep(0.05)
        os.kill(server_process(folder), signal.SIGKILL)
        assert postgres.start(folder) == url
        assert isinstance(result.exception(timeout=30), psycopg.OperationalError)
    assert query(url, "SELECT 1") == 1


def test_a_process_that_inherited_the_number_of_a_dead_server_is_left_alone(folder: Path) -> None:
    url = postgres.start(folder)
    postgres.stop(folder)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        lines = [
            str(stranger.pid),
            str(folder / "data"),
            "0",
            url.split(":")[-1].split("/")[0],
            "",
            "127.0.0.1",
            "1 1",
            "ready",
        ]
        (folder / "data" / "postmaster.pid").write_text("\n".join(lines) + "\n")
        assert postgres.running(folder) is None
        assert not postgres.stop(folder)
        assert postgres.start(folder) == url
        assert postgres.stop(folder)
        assert stranger.poll() is None
        stranger.communicate(b"\n")


def test_a_cluster_whose_making_was_cut_short_is_made_anew(folder: Path) -> None:
    (folder / "data.partial").mkdir(parents=True)
    (folder / "data.partial" / "PG_VERSION").write_text("18\n")
    (folder / "password").write_text("of the attempt before")
    assert query(postgres.start(folder), "SELECT current_database()") == "lastmile"


def test_a_port_in_use_is_left_to_its_owner_and_the_move_is_reported(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    postgres.start(folder)
    postgres.stop(folder)
    port = int((folder / "port").read_text())
    with socket.create_server(("127.0.0.1", port)):
        url = postgres.start(folder)
    assert f":{port}/" not in url
    assert query(url, "SELECT 1") == 1
    assert f"port {port} is in use by another program" in caplog.text


def test_it_listens_on_the_loopback_only_and_refuses_a_wrong_password(folder: Path) -> None:
    url = postgres.start(folder)
    assert query(url, "SHOW listen_addresses") == "127.0.0.1"
    assert query(url, "SHOW unix_socket_directories") == ""
    password = (folder / "password").read_text()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        query(url.replace(password, "guess"), "SELECT 1")
    assert stat.S_IMODE((folder / "password").stat().st_mode) == 0o600


def test_only_who_started_the_server_stops_it(folder: Path) -> None:
    with postgres.started(folder) as outer:
        with postgres.started(folder) as inner:
            assert inner == outer
        assert postgres.running(folder) == outer
    assert postgres.running(folder) is None


def test_a_home_that_is_a_file_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises(UserError, match="Set LASTMILE_HOME to a folder you can write to"):
        postgres.start(tmp_path / "home" / "postgres")


def test_a_base_backup_of_the_running_server_starts_with_what_was_committed(folder: Path, tmp_path: Path) -> None:
    url = postgres.start(folder)
    query(url, "CREATE TABLE kept AS SELECT 42 AS answer")
    restored = tmp_path / "restored"
    restored.mkdir()
    shutil.copy2(folder / "password", restored)
    identity = identity_for(restored, postgres.program("pg_basebackup"))
    made = identity.run([postgres.program("pg_basebackup"), "-d", url, "-D", restored / "data", "--checkpoint=fast"])
    assert made.returncode == 0, made.stderr
    query(url, "UPDATE kept SET answer = 43")
    with postgres.started(restored) as copy:
        assert copy != url
        assert query(copy, "SELECT answer FROM kept") == 42
    assert query(url, "SELECT answer FROM kept") == 43


def test_a_cluster_made_when_nothing_could_follow_it_can_be_backed_up_after_the_next_start(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    minimal = {"wal_level": "minimal", "max_wal_senders": "0", "summarize_wal": "off"}
    with monkeypatch.context() as before:
        before.setattr(postgres, "SETTINGS", postgres.SETTINGS | minimal)
        assert query(postgres.start(folder), "SHOW wal_level") == "minimal"
        postgres.stop(folder)
    assert query(postgres.start(folder), "SHOW wal_level") == "logical"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's server runs as another user")
def test_as_root_it_works_below_closed_folders_and_opens_none(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with postgres.started(closed / "postgres") as url:
        assert query(url, "SELECT 1") == 1
        assert Path(f"/proc/{server_process(closed / 'postgres')}").stat().st_uid != 0
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    assert closed.stat().st_uid == 0


def test_the_address_is_known_before_the_server_is_made_and_is_the_one_it_gets(folder: Path) -> None:
    expected = postgres.expected(folder)
    with postgres.started(folder) as url:
        assert re.sub(r":[^:@/]+@", "@", url) == expected
        assert postgres.expected(folder) == url
