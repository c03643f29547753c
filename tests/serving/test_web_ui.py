"""Dagster's own web UI behind our door: a real webserver of a real code location, tried as each role."""

import json
import os
import socket
import subprocess
import sys
from contextlib import contextmanager

import httpx
import pytest
from end_to_end.installation import wait_for
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from lastmile.access import users
from lastmile.serving.web_ui.mutations import mutations
from lastmile.serving.web_ui.sign_in import COOKIE, own_path

PASSWORD = "correct horse battery"
CODE = """
import dagster as dg

@dg.asset
def greeting(): ...

defs = dg.Definitions(assets=[greeting])
"""
START = """
import sys
from lastmile.orchestration.dagster_compat.webserver import serve
from lastmile.serving.state import Serving
from lastmile.serving.web_ui.guard import guarded
serve(sys.argv[1], sys.argv[2:], guarded(Serving.from_environment()))
"""
LAUNCH = """
mutation Launch($params: ExecutionParams!) {
  launchRun(executionParams: $params) { __typename ... on PythonError { message } }
}
"""
PARAMS = {
    "params": {
        "selector": {
            "repositoryLocationName": "code.py",
            "repositoryName": "__repository__",
            "jobName": "__ASSET_JOB",
            "assetSelection": [{"path": ["greeting"]}],
        },
        "mode": "default",
    }
}
RUNS = "{ runsOrError { __typename ... on Runs { results { id } } } }"


@pytest.fixture
def web_ui(here, site, tmp_path):
    """Its address. Dagster's storage is in the site's database."""
    (tmp_path / "code.py").write_text(CODE)
    (tmp_path / "workspace.yaml").write_text(f"load_from: [{{python_file: {tmp_path / 'code.py'}}}]")
    (tmp_path / "dagster").mkdir()
    site.connection.execute("CREATE SCHEMA web_ui")
    address = site.database_url.replace("postgresql://", "postgresql+psycopg2://", 1)
    storage = {"storage": {"postgres": {"postgres_url": f"{address}?options=-csearch_path%3Dweb_ui"}}}
    (tmp_path / "dagster" / "dagster.yaml").write_text(json.dumps(storage))
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    variables = os.environ | {"DAGSTER_HOME": str(tmp_path / "dagster"), "LASTMILE_HOME": str(here.settings.home)}
    options = ["--host", "127.0.0.1", "--port", str(port)]
    command = [sys.executable, "-c", START, str(tmp_path / "workspace.yaml"), *options]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, env=variables, stdout=log, stderr=log, start_new_session=True)
    url = f"http://127.0.0.1:{port}"

    def answers():
        assert process.poll() is None, (tmp_path / "log").read_text()
        try:
            return httpx.get(f"{url}/lastmile/sign-in").is_success
        except httpx.HTTPError:
            return False

    try:
        wait_for(answers)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()


@contextmanager
def signed_in(url, name):
    with httpx.Client(base_url=url, timeout=60) as browser:
        answer = browser.post("/lastmile/sign-in?next=/runs", data={"name": name, "password": PASSWORD})
        assert (answer.status_code, answer.headers["location"]) == (303, "/runs")
        yield browser


def test_each_role_does_in_the_web_ui_what_it_may(web_ui, site):
    # While there is no user, this machine is let in as it always was.
    assert httpx.get(f"{web_ui}/dagit_info").status_code == 200
    assert "results" in httpx.post(f"{web_ui}/graphql", json={"query": RUNS}).text
    users.add(site.connection, "vera", "viewer", PASSWORD, "test")
    users.add(site.connection, "emil", "engineer", PASSWORD, "test")

    # From then on a browser is sent to the page, and a program refused.
    page = httpx.get(f"{web_ui}/runs", headers={"accept": "text/html"})
    assert (page.status_code, page.headers["location"]) == (303, "/lastmile/sign-in?next=/runs")
    assert httpx.post(f"{web_ui}/graphql", json={"query": RUNS}).status_code == 401
    with pytest.raises(InvalidStatus, match="403"), connect(f"{web_ui.replace('http', 'ws')}/graphql"):
        pass
    wrong = httpx.post(f"{web_ui}/lastmile/sign-in", data={"name": "vera", "password": "not this one"})
    assert (wrong.status_code, "No user has this name" in wrong.text) == (401, True)

    with signed_in(web_ui, "vera") as viewer:
        reads_and_changes_nothing(viewer, web_ui)
    with signed_in(web_ui, "emil") as engineer:
        launched = engineer.post("/graphql", json={"query": LAUNCH, "variables": PARAMS}).json()
        assert launched["data"]["launchRun"]["__typename"] == "LaunchRunSuccess", launched
        of_another_site = {"Origin": "https://evil.example.org"}
        request = {"query": LAUNCH, "variables": PARAMS}
        assert engineer.post("/graphql", json=request, headers=of_another_site).status_code == 403
        engineer.post("/lastmile/sign-out")
        assert engineer.post("/graphql", json={"query": RUNS}).status_code == 401
    log = site.query("SELECT actor, subject FROM access.audit WHERE action = 'web UI'")
    assert log == [{"actor": "user:emil", "subject": "launchRun"}]


def test_the_first_request_after_the_database_was_away_is_answered(web_ui, site):
    page = {"url": f"{web_ui}/runs", "headers": {"accept": "text/html"}}
    assert httpx.get(**page).status_code == 200
    others = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE %s"
    )
    ended = site.connection.execute(others, ["%instance_info%"]).fetchall()
    assert ended
    assert httpx.get(**page).status_code == 200


def reads_and_changes_nothing(viewer, web_ui):
    assert "results" in viewer.post("/graphql", json={"query": RUNS}).text
    can = viewer.post("/graphql", json={"query": "{ permissions { permission value } }"}).json()["data"]["permissions"]
    assert not any(one["value"] for one in can)
    for body in ({"json": {"query": LAUNCH, "variables": PARAMS}}, {"params": {"query": LAUNCH}}):
        assert viewer.post("/graphql", **body).status_code == 403
    hidden = "query A { __typename } mutation B { ...F }"
    hidden += " fragment F on Mutation { wipeAssets(assetPartitionRanges: []) { __typename } }"
    assert viewer.post("/graphql", json={"query": hidden, "operationName": "B"}).status_code == 403
    assert viewer.post("/report_asset_materialization/greeting").status_code == 403
    assert viewer.get("/download_debug/abc").status_code == 403
    cookie = {"Cookie": f"{COOKIE}={viewer.cookies[COOKIE]}"}
    address = f"{web_ui.replace('http', 'ws')}/graphql"
    with connect(address, additional_headers=cookie, subprotocols=["graphql-ws"]) as socket:
        socket.send(json.dumps({"type": "connection_init"}))
        assert json.loads(socket.recv(10))["type"] == "connection_ack"
        start = {"query": LAUNCH, "variables": PARAMS}
        socket.send(json.dumps({"type": "start", "id": "1", "payload": start}))
        assert "LaunchRunSuccess" not in socket.recv(10)
    with pytest.raises(InvalidStatus, match="403"):
        connect(address, additional_headers=cookie | {"Origin": "https://evil.example.org"}).close()


def test_the_cookie_of_the_web_ui_is_no_token_for_the_api(api, site):
    from lastmile.access import sessions

    user = users.add(site.connection, "root", "admin", PASSWORD, "test")
    token = sessions.begin_in_web_ui(site.connection, api.here.secret, user)
    assert api("/api/v1/users", headers={"Authorization": f"Bearer {token}"}).status_code == 401
    assert api("/api/v1/users", cookies={COOKIE: token}).status_code == 401


@given(st.text())
def test_one_is_sent_on_to_paths_of_this_site_only(following):
    for given_path in (following, f"/{following}", f"//{following}", f"https://{following}"):
        found = own_path(given_path)
        assert found.startswith("/")
        assert not found.startswith(("//", "/\\"))


@pytest.mark.parametrize(
    ("document", "found"),
    [
        ("{ runs }", set()),
        ("mutation { launchRun }", {"launchRun"}),
        ("query A { x } mutation B { a: wipeAssets terminateRun }", {"wipeAssets", "terminateRun"}),
        ("mutation { ...F } fragment F on Mutation { ... on Mutation { deleteRun } ...F }", {"deleteRun"}),
        ("not a document", set()),
    ],
)
def test_a_mutation_is_found_wherever_it_stands(document, found):
    as_json = json.dumps({"query": document}).encode()
    assert mutations(as_json, "application/json; charset=utf-8", {}) == found
    assert mutations(document.encode(), "application/graphql", {}) == found
    assert mutations(b"", "text/plain", {"query": [document]}) == found
