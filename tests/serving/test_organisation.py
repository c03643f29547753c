"""An organisation's own sign-in, tried against a provider in a process of its own."""

import dataclasses
import socket
import subprocess
import sys
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
import pytest
from end_to_end.installation import wait_for
from serving.conftest import GENEROUS, running

from lastmile.serving.routers.access.organisation import name_of, role_of
from lastmile.serving.state import Serving
from lastmile.settings.api import SignIn


@pytest.fixture(scope="module")
def issuer():
    """A provider's process: a subject that is named on its page is signed in."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port), "--user", "ada@example.org"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"

    def answers():
        try:
            return httpx.get(f"{url}/.well-known/openid-configuration").is_success
        except httpx.HTTPError:
            return False

    try:
        wait_for(answers)
        yield url
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def api(here, issuer):
    settings = dataclasses.replace(GENEROUS, sign_in=SignIn(issuer, "lastmile", "a secret", role="analyst"))
    with running(Serving(here.settings, settings, here.store, here.database_url)) as api:
        yield api


def signed_in_there(api, browser, following=""):
    """The browser leaves for the provider, names a subject on its page, and comes back: the answer of our callback."""
    left = browser.get(f"{api.url}/api/v1/auth/oidc/login{following}")
    assert left.status_code == 302, left.text
    page = left.headers["location"]
    assert parse_qs(urlsplit(page).query)["code_challenge_method"] == ["S256"]
    back = browser.post(page, data={"sub": "ada@example.org"})
    assert back.status_code in (302, 303), back.text
    return browser.get(urljoin(page, back.headers["location"]))


def test_whoever_the_organisation_knows_gets_tokens_and_a_role(api, site):
    with httpx.Client() as browser:
        tokens = signed_in_there(api, browser).json()
    me = api("/api/v1/auth/me", headers={"Authorization": f"Bearer {tokens['access_token']}"}).json()
    assert (me["name"], me["role"]) == ("user:ada@example.org", "analyst")
    (user,) = site.query("SELECT subject, password_hash FROM access.users")
    assert user == {"subject": "ada@example.org", "password_hash": None}


def test_the_same_subject_is_the_same_user_and_may_be_disabled(api, site):
    with httpx.Client() as browser:
        signed_in_there(api, browser)
        signed_in_there(api, browser)
        assert len(site.query("SELECT FROM access.users")) == 1
        api.to("admin").patch("/users/ada@example.org", json={"disabled": True})
        assert signed_in_there(api, browser).status_code == 403


def test_a_browser_comes_back_to_the_page_it_wanted_and_to_no_other_site(api):
    with httpx.Client() as browser:
        back = signed_in_there(api, browser, "?next=/runs")
        assert (back.status_code, back.headers["location"]) == (303, "/runs")
        cookie = back.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert signed_in_there(api, browser, "?next=//evil.example.org").headers["location"] == "/"


def test_a_callback_that_this_browser_did_not_begin_is_refused(api):
    with httpx.Client() as browser:
        page = browser.get(f"{api.url}/api/v1/auth/oidc/login").headers["location"]
        back = browser.post(page, data={"sub": "ada@example.org"}).headers["location"]
    with httpx.Client() as another:
        answer = another.get(urljoin(page, back))
    assert (answer.status_code, "begin again" in answer.json()["detail"]) == (401, True)


def test_a_provider_that_is_away_is_said_to_be(here):
    settings = dataclasses.replace(GENEROUS, sign_in=SignIn("http://127.0.0.1:9", "lastmile", "a secret"))
    with running(Serving(here.settings, settings, here.store, here.database_url)) as api:
        answer = api("/api/v1/auth/oidc/login")
    assert (answer.status_code, "does not answer" in answer.json()["detail"]) == (503, True)


def test_without_one_configured_there_is_none(here):
    with running(here) as api:
        assert api("/api/v1/auth/oidc/login").status_code == 404


def test_the_highest_role_that_the_organisation_names_counts():
    settings = SignIn("https://id.example.org", "lastmile", "a secret", role_claim="groups")
    assert role_of(settings, {"groups": ["engineer", "viewer", "finance"]}) == "engineer"
    assert role_of(settings, {"groups": "admin"}) == "admin"
    assert role_of(settings, {"groups": ["device"]}) == "viewer"
    assert role_of(settings, {}) == "viewer"


def test_an_address_that_is_not_verified_names_no_user():
    assert name_of({"sub": "42", "email": "Ada@example.org", "email_verified": True}) == "ada@example.org"
    assert name_of({"sub": "42", "email": "root@example.org", "email_verified": False}) == "42"
    assert name_of({"sub": "a/b c"}) == "a-b-c"
