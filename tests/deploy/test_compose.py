"""compose.yaml: what it says, and its processes as it starts them, here without containers."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import yaml
from checkout import PROJECT
from deploy.tools import DEPLOY, run
from end_to_end.installation import LASTMILE, wait_for

from lastmile.streaming.landing.gathering import WAIT_SECONDS

COMPOSE = DEPLOY / "compose.yaml"
#: Services whose process ends when its work is done.
JOBS = {"migrations", "bucket"}


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return yaml.safe_load(COMPOSE.read_text())["services"]


def test_it_is_what_compose_accepts() -> None:
    run("check-jsonschema", "--builtin-schema", "vendor.compose-spec", COMPOSE)
    assert COMPOSE.exists()


def test_every_port_is_this_machines_own(services: dict[str, Any]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert len(ports) >= 8
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert len({port.split(":")[1] for port in ports}) == len(ports)


def test_what_stays_says_how_it_is_and_what_needs_it_waits_for_that(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert ("healthcheck" in service) != (name in JOBS), name
        for other, how in service.get("depends_on", {}).items():
            expected = "service_completed_successfully" if other in JOBS else "service_healthy"
            assert how["condition"] == expected, f"{name} on {other}"


def test_no_secret_has_a_default(services: dict[str, Any]) -> None:
    for name, service in services.items():
        for variable, value in service.get("environment", {}).items():
            secret = re.search("PASSWORD|SECRET|KEY", variable)
            assert not secret or str(value).startswith("/run/secrets/"), f"{name}: {variable}"
    assert "://lastmile:" not in COMPOSE.read_text()


def test_the_secrets_are_made_once_and_agree(tmp_path: Path, services: dict[str, Any]) -> None:
    folder = tmp_path / "secrets"
    subprocess.run(["sh", DEPLOY / "secrets.sh", folder], check=True)
    made = {line.split("=", 1)[0]: line.split("=", 1)[1] for line in (folder / "lastmile.env").read_text().splitlines()}
    assert f":{(folder / 'postgres_password').read_text()}@postgres:" in made["LASTMILE_DATABASE_URL"]
    assert made["AWS_SECRET_ACCESS_KEY"] in (folder / "objects.env").read_text()
    assert len({*made.values(), (folder / "grafana_password").read_text()}) == len(made) + 1
    assert (folder / "lastmile.env").stat().st_mode & 0o077 == 0, "only its owner reads it"
    again = subprocess.run(["sh", DEPLOY / "secrets.sh", folder], capture_output=True, text=True, check=False)
    assert again.returncode == 1
    assert "is there already" in again.stderr
    files = {service["env_file"] for service in services.values() if "env_file" in service}
    declared = {secret["file"] for secret in yaml.safe_load(COMPOSE.read_text())["secrets"].values()}
    assert {f"secrets/{file.name}" for file in folder.iterdir()} == files | declared


def test_what_reads_streams_is_started_where_it_is_wanted_and_ends_in_time(services: dict[str, Any]) -> None:
    assert {name for name, one in services.items() if one.get("profiles") == ["streams"]} == {"kafka", "consumers"}
    assert int(services["consumers"]["stop_grace_period"].removesuffix("s")) > 2 * WAIT_SECONDS
    here = services["api"]["environment"]["LASTMILE_KAFKA_URL"]
    assert here == services["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"].removeprefix("PLAINTEXT://")


class Started:
    """Services of compose.yaml as processes of this machine: their commands, with addresses of this machine."""

    def __init__(self, services: dict[str, Any], variables: dict[str, str], folder: Path) -> None:
        self._services, self._folder = services, folder
        self.ports = {name: free_port() for name in ("code-server", "webserver", "api", "predictions")}
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("LASTMILE_", "DAGSTER_", "PG"))
        }
        self._variables = inherited | variables
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        workspace = yaml.safe_load(COMPOSE.read_text())["configs"]["workspace"]["content"]
        here = workspace.replace("host: code-server, port: 4000", f"host: 127.0.0.1, port: {self.ports['code-server']}")
        (folder / "workspace.yaml").write_text(here)

    def start(self, name: str) -> "subprocess.Popen[bytes]":
        words = [self._word(name, word) for word in self._services[name]["command"]]
        module = "lastmile.serving" if name == "predictions" else "lastmile.embedded.container"  # as the images
        command = [sys.executable, "-m", module, *words]
        with (self._folder / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                command, env=self._variables, stdout=log, stderr=log, cwd=PROJECT, start_new_session=True
            )
        return self.processes[name]

    def _word(self, name: str, word: str) -> str:
        named = {"0.0.0.0": "127.0.0.1", "/etc/lastmile/workspace.yaml": str(self._folder / "workspace.yaml")}
        return str(self.ports[name]) if re.fullmatch(r"[34]\d{3}", word) else named.get(word, word)

    def is_healthy(self, name: str) -> bool:
        """By the service's own check."""
        assert self.processes[name].poll() is None, (self._folder / f"{name}.log").read_text()[-3000:]
        words = self._services[name]["healthcheck"]["test"][1:]
        here = [
            re.sub(r"(127.0.0.1:)\d+|^4000$", lambda found: f"{found[1] or ''}{self.ports[name]}", word)
            for word in words
        ]
        program = str(Path(LASTMILE).with_name(here[0]))
        return (
            subprocess.run([program, *here[1:]], env=self._variables, capture_output=True, check=False).returncode == 0
        )

    def stop(self) -> None:
        for process in self.processes.values():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture
def started(services: dict[str, Any], empty_database_url: str, tmp_path: Path) -> Iterator[Started]:
    variables = {
        **services["code-server"]["environment"],
        "LASTMILE_HOME": str(tmp_path / "home"),
        "LASTMILE_DATABASE_URL": empty_database_url,
        "LASTMILE_STORE_URL": (tmp_path / "store").as_uri(),
        "LASTMILE_SECRET": "s" * 32,
        "DBT_PROFILES_DIR": str(tmp_path),
    }
    for other in ("LASTMILE_REDIS_URL", "LASTMILE_KAFKA_URL"):
        del variables[other]
    found = Started(services, variables, tmp_path)
    try:
        yield found
    finally:
        found.stop()


def test_the_processes_as_compose_starts_them_carry_a_drop_to_its_table(
    started: Started, empty_database_url: str, tmp_path: Path
) -> None:
    assert started.start("migrations").wait(300) == 0, (tmp_path / "migrations.log").read_text()
    started.start("code-server")
    wait_for(lambda: started.is_healthy("code-server"), 300, every=3)
    for name in ("daemon", "webserver", "api", "predictions"):
        started.start(name)
    for name in ("api", "predictions", "webserver"):
        wait_for(lambda name=name: started.is_healthy(name), 300, every=2)
    dropped = tmp_path / "store" / "landing" / "lstk" / "2021" / "one.csv"
    dropped.parent.mkdir(parents=True)
    dropped.write_text("hhid,name,n\nke_a_2021_1_1,goats,3\nke_a_2021_1_2,cows,2\n")

    def loaded() -> bool:
        with psycopg.connect(empty_database_url) as database:
            return database.execute("SELECT count(*) FROM ledger.drops WHERE state = 'loaded'").fetchone() == (1,)

    wait_for(loaded, 300, every=2)
    ready = httpx.get(f"http://127.0.0.1:{started.ports['api']}/api/v1/health/ready").json()
    assert ready == {"database": "ready", "migrations": "ready", "daemon": "ready", "store": "ready"}
    paths = httpx.get(f"http://127.0.0.1:{started.ports['predictions']}/openapi.json").json()["paths"]
    assert "/api/v1/models/{name}/predict" in paths
    assert "/api/v1/sql" not in paths, "predictions and nothing else"
    assert httpx.get(f"http://127.0.0.1:{started.ports['webserver']}/server_info").status_code == 200
