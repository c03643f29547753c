"""The HTTP API under load, next to a plain app around the pipeline and `mlflow models serve`, with the same model.

    python -m benchmarks.serving --rounds 3 --seconds 8

A platform of its own is started as `make run` does, with the usual sample, until its model is in use; then it is
stopped, and the API alone answers. Rounds are interleaved: each contender is started, loaded and stopped in turn.
Written: `benchmarks/results/serving.json`. Needs wrk.
"""

import json
import pickle
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from assets.household_survey.models.vulnerability import model
from benchmarks import results
from benchmarks.comparing import PEERS, PROJECT
from benchmarks.environments import python_for
from benchmarks.latency import settle
from benchmarks.latency import started as platform
from benchmarks.measuring import Failed
from benchmarks.serving.ingest import Ingest, ingest
from benchmarks.serving.load import Load, found_wrk, load
from benchmarks.serving.servers import Running, Server, started
from lastmile.access import keys
from lastmile.access.secret import secret
from lastmile.embedded import postgres
from lastmile.embedded.processes import free_port
from lastmile.learning.registry.deployments import champion
from lastmile.learning.registry.versions import load as load_estimator
from lastmile.learning.training.fitting import inputs, used_inputs
from lastmile.settings import Settings
from lastmile.store import open_store
from lastmile.warehouse.connections import connect

OURS, SMALL = "lastmile api", "lastmile api, predictions only"
FASTAPI, MLFLOW = "FastAPI and scikit-learn", "mlflow models serve"
CONNECTIONS = (1, 50, 1_000)
#: A server of 40 requests a second has a queue of 1,000 for as long as the round lasts: it is not tried.
_MOST_CONNECTIONS = {FASTAPI: 50, MLFLOW: 50}
_PAGE = "/api/v1/data/marts/fct_household_year?limit=100&columns=survey_year,country,vulnerability_level"


@dataclass
class Tally:
    """The loads of one contender by connections, one for each round; megabytes after each."""

    loads: dict[int, list[Load]] = field(default_factory=dict)
    #: Of the most connections, each of which sends once a second.
    paced: list[Load] = field(default_factory=list)
    resident_mb: list[float] = field(default_factory=list)
    failed: str | None = None


@contextmanager
def prepared(folder: Path) -> Iterator[Settings]:
    """An installation whose model is in use, with nothing but its database up."""
    with platform(folder) as (up, _):
        settle(up)
    home = folder / "home"
    with postgres.started(home / "postgres") as url:
        yield Settings(home, url, (home / "store").as_uri(), "assets")


def contenders(settings: Settings, folder: Path) -> list[Server]:
    """All with the same estimator, and the same household as each of them wants it."""
    with connect(settings.given_database_url or "") as connection:
        key, _ = keys.create(connection, secret(settings), "benchmark", "engineer", "benchmark")
        version = champion(connection, model.name)
        if version is None:
            raise Failed("no model is in use after the platform had settled")
        estimator = load_estimator(open_store(settings), version, model.trusted)
        row = _row(connection)
    frame = inputs(model.features, row, used_inputs(model, estimator))
    (folder / "model.pkl").write_bytes(pickle.dumps(estimator))
    plain = json.loads(frame.to_json(orient="records"))[0]
    split = {"dataframe_split": json.loads(frame.to_json(orient="split", index=False))}
    ours = json.dumps({"row": _given(row)})
    of_mlflow = PEERS / "serve_mlflow.py"
    return [
        *(_ours(settings, name, options, key, ours) for name, options in ((OURS, []), (SMALL, ["--only-predictions"]))),
        _peer(
            FASTAPI,
            Path(sys.executable),
            Path(__file__).parent / "plain_app.py",
            folder,
            "/ready",
            "/predict",
            json.dumps(plain),
        ),
        _peer(
            MLFLOW,
            python_for(of_mlflow),
            of_mlflow,
            folder,
            "/ping",
            "/invocations",
            json.dumps(split),
        ),
    ]


def _row(connection: Any) -> Any:
    """One household of the online table, as a frame in the schema's types."""
    from lastmile.learning.features.online import lookup

    name = f"online.{model.features.name}"
    (key,) = connection.execute(f"SELECT {', '.join(model.features.key)} FROM {name} LIMIT 1").fetchall()
    return lookup(connection, model.features, [key])


def _given(row: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(row[model.inputs].to_json(orient="records"))[0]
    return found


def _ours(settings: Settings, name: str, options: Sequence[str], key: str, body: str) -> Server:
    port = free_port()
    return Server(
        name,
        [str(Path(sys.executable).parent / "lastmile"), "api", "--port", str(port), *options],
        port,
        "/api/v1/health/ready",
        f"/api/v1/models/{model.name}/predict",
        body,
        {"Authorization": f"Bearer {key}"},
        {
            "LASTMILE_HOME": str(settings.home),
            "LASTMILE_PROJECT": str(PROJECT),
            "LASTMILE_RATE_LIMIT": "1000000/second",
        },
    )


def _peer(name: str, python: Path, script: Path, folder: Path, ready: str, path: str, body: str) -> Server:
    port = free_port()
    command = [str(python), str(script), str(folder / "model.pkl"), str(port)]
    code = {"PYTHONPATH": f"{PROJECT / 'platform'}:{PROJECT}", "OMP_NUM_THREADS": "1"}
    return Server(name, command, port, ready, path, body, {}, code)


def contest(servers: Sequence[Server], rounds: int, seconds: float, folder: Path) -> dict[str, Tally]:
    tallies = {server.name: Tally() for server in servers}
    console = results.screen(stderr=True)
    for number in range(1, rounds + 1):
        for server in servers:
            tally = tallies[server.name]
            if tally.failed:
                continue
            try:
                with started(server, folder) as running:
                    _round(server, running, tally, seconds)
            except Failed as failed:
                tally.failed = str(failed)
            shown = tally.failed or ", ".join(
                f"{connections}: {found[-1].per_second:,.0f}/s" for connections, found in tally.loads.items()
            )
            console.print(f"[dim]round {number} of {rounds}  {server.name:32} {shown}", highlight=False)
    return tallies


def _round(server: Server, running: Running, tally: Tally, seconds: float) -> None:
    url = f"{running.url}{server.path}"
    load(url, 4, 2, server.headers, server.body)  # what is compiled or imported at first use
    for connections in CONNECTIONS:
        if connections <= _MOST_CONNECTIONS.get(server.name, max(CONNECTIONS)):
            tally.loads.setdefault(connections, []).append(load(url, connections, seconds, server.headers, server.body))
    if server.name in (OURS, SMALL):
        tally.paced.append(load(url, max(CONNECTIONS), seconds, server.headers, server.body, pause_ms=1_000))
    tally.resident_mb.append(running.resident_mb())


def predictions_table(tallies: Mapping[str, Tally]) -> results.Found:
    rows: list[results.Row] = []
    for name, tally in tallies.items():
        if tally.failed:
            rows.append({"what": name, "note": tally.failed})
        if tally.paced:
            paced = {"connections": f"{max(CONNECTIONS):,}, about once a second", **_medians(tally.paced)}
            rows.append({"what": name, **paced, "MB": statistics.median(tally.resident_mb)})
        for connections, found in tally.loads.items():
            base = [one.per_second for one in tallies[MLFLOW].loads.get(connections, [])]
            ratios = [one.per_second / other for one, other in zip(found, base, strict=False)]
            rows.append(
                {
                    "what": name,
                    "connections": connections,
                    **_medians(found),
                    "times mlflow": statistics.median(ratios) if ratios else None,
                    "MB": statistics.median(tally.resident_mb),
                }
            )
    return results.Found(
        "Predictions of one household, one a request",
        rows,
        "Each connection sends its next request when it is answered, unless said otherwise. wrk has one of the two"
        " cores. Medians of rounds.",
    )


def _medians(found: Sequence[Load]) -> dict[str, Any]:
    names = {"a second": "per_second", "mean ms": "mean_ms", "p50 ms": "p50_ms", "p95 ms": "p95_ms", "p99 ms": "p99_ms"}
    medians: dict[str, Any] = {
        shown: statistics.median(getattr(one, name) for one in found) for shown, name in names.items()
    }
    return medians | {"errors": sum(one.failed for one in found)}


def reads_table(server: Server, rounds: int, seconds: float, folder: Path) -> results.Found:
    with started(server, folder) as running:
        found = [load(f"{running.url}{_PAGE}", 20, seconds, server.headers) for _ in range(rounds)]
    rows = [{"what": "a page of 100 rows of a mart", "connections": 20, **_medians(found)}]
    return results.Found("Reads", rows)


def ingest_table(found: Sequence[Ingest]) -> results.Found:
    rows = [
        {
            "what": one.what,
            "connections": one.connections,
            "a second": one.per_second,
            "p99 ms": one.p99_ms,
            "MB more": one.more_mb,
            "note": one.note,
        }
        for one in found
    ]
    return results.Found("Drops in over HTTP", rows)


def main(
    rounds: Annotated[int, typer.Option(help="Times each contender is run, in turn.")] = 3,
    seconds: Annotated[float, typer.Option(help="How long each load lasts.")] = 8,
) -> None:
    """Measures, prints tables and writes the figures.

    Example: python -m benchmarks.serving --rounds 1 --seconds 3
    """
    try:
        found_wrk()
        with TemporaryDirectory(prefix="lastmile-serving-") as name, prepared(Path(name)) as settings:
            folder = Path(name)
            servers = contenders(settings, folder)
            found = [
                predictions_table(contest(servers, rounds, seconds, folder)),
                reads_table(servers[0], rounds, seconds, folder),
                ingest_table(ingest(settings, servers[0], seconds, folder)),
            ]
    except Failed as failed:
        raise SystemExit(str(failed)) from None
    results.publish("serving", found, results.computer(), results.screen())


if __name__ == "__main__":
    typer.run(main)
