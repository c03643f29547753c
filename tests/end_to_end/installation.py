"""The command line on a home of its own, as a person would use it, with everything it started gone at the end."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Self

import psutil
import psycopg

from lastmile.embedded import postgres
from lastmile.embedded.database import database
from lastmile.settings import Settings

LASTMILE = str(Path(sys.executable).parent / "lastmile")
_OWN_VARIABLES = ("LASTMILE_", "DAGSTER_", "DBT_", "PG")


class Installation:
    """`lastmile` in one home. `run` waits for a command, `start` leaves it running; on leaving all of it is ended."""

    def __init__(self, home: Path, variables: Mapping[str, str] = {}) -> None:
        self.home = home
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_OWN_VARIABLES)}
        own = {"LASTMILE_HOME": str(home), "DBT_PROFILES_DIR": str(home), "COLUMNS": "160"}
        self.environment = {**inherited, **own, **variables}
        self.started: list[subprocess.Popen[str]] = []

    def run(self, *arguments: str | Path, code: int = 0, timeout: float = 900) -> str:
        """What the command printed, both streams. Fails the test where it exits with another code."""
        process = self.start(*arguments)
        try:
            printed, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            printed, _ = process.communicate()
            raise AssertionError(f"`lastmile {arguments}` took over {timeout} s:\n{printed}\n{self.logs()}") from None
        assert process.returncode == code, (
            f"`lastmile {arguments}`: exit {process.returncode}\n{printed}\n{self.logs()}"
        )
        return printed

    def start(self, *arguments: str | Path, output: int | IO[str] = subprocess.PIPE) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [LASTMILE, *map(str, arguments)],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def status(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads(self.run("status", "--json"))
        return state

    @contextmanager
    def postgres(self) -> Iterator[str]:
        """The address of the home's own Postgres, kept up meanwhile."""
        with database(Settings(self.home, None, "", "")) as url:
            yield url

    def logs(self) -> str:
        return "\n".join(f"--- {log.name}\n{log.read_text()[-3000:]}" for log in sorted(self.home.glob("logs/*.log")))

    def processes(self) -> list[psutil.Process]:
        """Every process that works for this home."""
        found = []
        for process in psutil.process_iter():
            try:
                if str(self.home) in " ".join(process.cmdline()) or process.environ().get("LASTMILE_HOME") == str(
                    self.home
                ):
                    found.append(process)
            except (psutil.AccessDenied, psutil.NoSuchProcess):
                continue
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
        for process in self.started:
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
        if self.processes():
            subprocess.run([LASTMILE, "down"], env=self.environment, timeout=120, capture_output=True, check=True)


@contextmanager
def small_sample_made(home: Path, seconds: float) -> Iterator[Installation]:
    """A platform that is up and has made all that follows from a small sample."""
    with Installation(home) as one:
        said = home.parent / "up.log"
        one.run("sample", "household_survey", "--size", "400", "--partitions", "2021-2022")
        with said.open("w") as output:
            one.start("up", output=output)
        wait_for(lambda: "drops are ingested as they come" in said.read_text(), seconds)
        yield one


def rows(platform: Installation, query: str, *values: Any) -> list[tuple[Any, ...]]:
    """Of the home's own Postgres, which is up. Raises psycopg's errors."""
    with psycopg.connect(postgres.running(platform.home / "postgres") or "", autocommit=True) as connection:
        return connection.execute(query, values).fetchall()


def wait_for(condition: Any, seconds: float = 300, every: float = 0.2) -> Any:
    """The first true answer of `condition`; fails the test after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(every)
    raise AssertionError(f"{condition} did not come true within {seconds} s")


def graphql(address: str, query: str, **variables: Any) -> Any:
    """The data of a web UI's answer. Raises OSError where nothing answers."""
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(f"{address}/graphql", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)["data"]


def answers(address: str) -> bool:
    """Whether a web UI serves there."""
    try:
        return bool(graphql(address, "{ version }"))
    except OSError:
        return False
