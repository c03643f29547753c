"""The door: how often, how large, what every answer has, and what happens while the database is away."""

import dataclasses
import os
import socket
import subprocess
import sys

import httpx
import pytest
from routes import every_route
from serving.conftest import GENEROUS, running

from lastmile.serving.app import make_app
from lastmile.serving.door.permission import demanded_by
from lastmile.serving.state import Serving
from lastmile.settings.api import ApiSettings, Limits


@pytest.fixture
def strict(here):
    """At most three requests a minute of each principal, and bodies of a kilobyte."""
    limits = Limits(rate="3/minute", sign_ins="2/minute", bytes=1_000)
    other = Serving(here.settings, dataclasses.replace(GENEROUS, limits=limits), here.store, here.database_url)
    with running(other) as api:
        yield api


def test_each_principal_has_a_rate_of_its_own(strict):
    one, another = strict.to("viewer"), strict.to("viewer")
    assert [one.get("/auth/me").status_code for _ in range(4)] == [200, 200, 200, 429]
    assert another.get("/auth/me").status_code == 200
    refused = one.get("/auth/me")
    assert (refused.headers["retry-after"], refused.headers["content-type"]) == ("1", "application/problem+json")


def test_the_key_of_prometheus_reads_the_metrics_and_nothing_else(here):
    api = dataclasses.replace(GENEROUS, metrics_key="a key of sixteen characters or more")
    with running(Serving(here.settings, api, here.store, here.database_url)) as scraped:
        scraped.to("viewer")  # from here on others are kept out
        key, other = ({"Authorization": f"Bearer {one}"} for one in (api.metrics_key, "another key as long as it"))
        assert scraped("/metrics", headers=key).status_code == 200
        assert scraped("/metrics", headers=other).status_code == 401
        assert {scraped(path, headers=key).status_code for path in ("/status", "/api/v1/auth/me", "/drops")} == {401}


def test_probes_are_never_limited(strict):
    assert {strict("/api/v1/health/live").status_code for _ in range(6)} == {200}


def test_nobody_gets_in_while_requests_cannot_be_counted(strict):
    async def broken(*_):
        raise ConnectionError("the counter is away")

    client = strict.to("viewer")
    strict.app.state.door_limiter.hit = broken
    answer = client.get("/auth/me")
    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)


def test_passwords_are_not_to_be_tried_out(strict):
    tried = [strict("/api/v1/auth/token", "POST", json={"name": "a", "password": "b"}) for _ in range(3)]
    assert [one.status_code for one in tried] == [401, 401, 429]


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_refused_whatever_its_header_says(strict, chunked):
    body = b'{"name": "' + b"x" * 2_000 + b'"}'
    sent = iter([body[:900], body[900:]]) if chunked else body
    headers = {"content-type": "application/json"}
    answer = httpx.post(f"{strict.url}/api/v1/auth/token", content=sent, headers=headers)
    assert (answer.status_code, "at most 1,000 bytes" in answer.json()["detail"]) == (413, True)


def test_a_collection_called_like_a_stream_has_the_limit_of_a_body_too(strict):
    client = strict.to("engineer")
    for path in ("/documents/files", "/documents/uploads"):
        assert client.post(path, json={"name": "x" * 2_000}).status_code == 413


def test_a_body_that_makes_no_progress_is_given_up(here):
    limits = dataclasses.replace(GENEROUS.limits, seconds=0.5)
    other = Serving(here.settings, dataclasses.replace(GENEROUS, limits=limits), here.store, here.database_url)
    with running(other) as api, socket.create_connection(("127.0.0.1", int(api.url.rpartition(":")[2]))) as line:
        line.settimeout(10)
        head = ("POST /api/v1/auth/token HTTP/1.1", "Host: x", "Content-Type: application/json", "Content-Length: 50")
        line.sendall(("\r\n".join(head) + "\r\n\r\n{").encode())
        assert line.recv(10_000).startswith(b"HTTP/1.1 408")


def test_every_answer_has_the_security_headers_and_a_number_of_its_own(api):
    paths = ["/docs", "/nowhere", "/api/v1/auth/me", "/api/v1/health/live", "/metrics"]
    answers = [api(path) for path in paths]
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "server" not in answer.headers
    assert len({answer.headers["x-request-id"] for answer in answers}) == len(paths)


def test_other_sites_are_closed_out_unless_they_are_named(here):
    origin = {"Origin": "https://app.example.org", "Access-Control-Request-Method": "GET"}
    with running(here) as closed:
        assert "access-control-allow-origin" not in closed("/api/v1/auth/me", "OPTIONS", headers=origin).headers
    named = dataclasses.replace(GENEROUS, origins=("https://app.example.org",))
    with running(Serving(here.settings, named, here.store, here.database_url)) as opened:
        answer = opened("/api/v1/auth/me", "OPTIONS", headers=origin)
        assert answer.headers["access-control-allow-origin"] == "https://app.example.org"


def test_requests_are_counted_by_route_and_never_by_value(api):
    api("/drops/17")
    api("/datasets/a-secret-name")
    scraped = api("/metrics").text
    assert 'route="/drops/{drop}"' in scraped
    assert "a-secret-name" not in scraped


def test_monitoring_is_open_on_this_machine_until_there_is_a_user(api):
    paths = ("/status", "/metrics", "/drops")
    assert {api(path).status_code for path in paths} == {200}
    admin = api.to("admin")
    admin.post("/users", json={"name": "ada", "role": "viewer", "password": "correct horse battery"})
    assert {api(path).status_code for path in paths} == {401}
    headers = {"Authorization": f"Bearer {api.key('viewer')}"}
    assert {api(path, headers=headers).status_code for path in paths} == {200}
    assert api("/metrics", headers={"Authorization": f"Bearer {api.key('device')}"}).status_code == 403


def test_every_endpoint_says_whom_it_lets_in(here):
    routes = [route for route in every_route(make_app(here)) if hasattr(route, "dependant")]
    assert len(routes) > 20
    assert {demanded_by(route) for route in routes} >= {None, "read", "administer"}


def test_who_was_known_stays_known_while_the_database_is_away(here, site, monkeypatch):
    import psycopg

    with running(here) as api:
        client = api.to("viewer")
        assert client.get("/auth/me").status_code == 200

        def away(*_):
            raise psycopg.OperationalError("the server is gone")

        monkeypatch.setattr("lastmile.serving.door.identity._REMEMBERED_SECONDS", 0)
        monkeypatch.setattr("lastmile.access.keys.find", away)
        assert client.get("/auth/me").status_code == 200
        stranger = httpx.get(f"{api.url}/api/v1/auth/me", headers={"X-API-Key": "lm_aaaaaaaaaa_" + "x" * 32})
        assert (stranger.status_code, stranger.headers["retry-after"]) == (503, "5")


def test_a_secret_that_can_be_guessed_is_refused(settings, monkeypatch):
    from lastmile.access.secret import secret
    from lastmile.errors import UserError

    monkeypatch.setenv("LASTMILE_SECRET", "guess me")
    with pytest.raises(UserError, match="expected at least 32"):
        secret(settings)


def test_processes_that_start_at_once_agree_on_the_secret(settings):
    program = "from lastmile.access.secret import secret; from lastmile.settings import Settings;"
    program += "print(secret(Settings.from_environment()).hex())"
    variables = os.environ | {"LASTMILE_HOME": str(settings.home)}
    command = [sys.executable, "-c", program]
    started = [subprocess.Popen(command, env=variables, stdout=subprocess.PIPE) for _ in range(4)]
    assert len({process.communicate()[0] for process in started}) == 1
    assert (settings.home / "secret").stat().st_mode & 0o777 == 0o600


def test_settings_that_cannot_be_are_named(monkeypatch):
    from lastmile.errors import UserError

    monkeypatch.setenv("LASTMILE_RATE_LIMIT", "often")
    with pytest.raises(UserError, match="LASTMILE_RATE_LIMIT is 'often'"):
        ApiSettings.from_environment()
    monkeypatch.setenv("LASTMILE_RATE_LIMIT", "10/second")
    monkeypatch.setenv("LASTMILE_OIDC_ISSUER", "https://id.example.org")
    with pytest.raises(UserError, match="LASTMILE_OIDC_CLIENT_ID"):
        ApiSettings.from_environment()
