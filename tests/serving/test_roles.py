"""Every role at every endpoint: who gets in, who is sent away, and that the table below is the whole of it."""

import re

import pytest

from lastmile.access.roles import ALLOWED, ROLES
from lastmile.serving.app import make_app

#: What each endpoint demands; None where it is open to all.
TABLE = {}


def endpoints(here):
    """Method and path of all that the API describes."""
    paths = make_app(here).openapi()["paths"]
    return {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}


def test_the_table_names_every_endpoint(here):
    assert endpoints(here) == set(TABLE)


def call(client, endpoint):
    """With a value for each parameter of the path, and a body where one may be needed."""
    method, path = endpoint.split()
    path = re.sub(r"\{(name|dataset)\}", "visits", path)
    path = re.sub(r"\{[a-z_]+\}", "1", path)
    body = {"json": {}} if method in ("POST", "PUT", "PATCH") else {}
    return client.request(method, path, **body)


@pytest.mark.parametrize("role", [None, *ROLES])
def test_each_role_gets_where_the_table_says_and_nowhere_else(api, role, monkeypatch):
    """Which are let in is decided before anything else is looked at, so a body may be wrong and an id unknown."""
    client = api.to(role) if role else api.to("viewer")
    client.base_url = api.url
    if role is None:
        del client.headers["Authorization"]
    wrong = []
    for endpoint, demanded in TABLE.items():
        if endpoint in STREAMS:
            continue
        status = call(client, endpoint).status_code
        if demanded is None:
            expected = status != 403
        elif role is None:
            expected = status == 401
        elif not any(one in ALLOWED[role] for one in demanded.split("|")):
            expected = status == 403
        else:
            expected = status not in (401, 403)
        if not expected:
            wrong.append(f"{role} {endpoint}: {status}")
    assert wrong == []


#: They answer until something ends.
STREAMS: set[str] = set()
