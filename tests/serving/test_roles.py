"""Every role at every endpoint: who gets in, who is sent away, and that the table below is the whole of it."""

import re

import pytest
from routes import every_route
from sending import GOOD, RECORDS
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from lastmile.access import users
from lastmile.access.roles import ALLOWED, ROLES
from lastmile.serving.app import make_app
from lastmile.serving.door.permission import demanded_by

WRITTEN = """
POST    /api/v1/auth/setup                          -
POST    /api/v1/auth/token                          -
POST    /api/v1/auth/refresh                        -
POST    /api/v1/auth/sign-out                       -
GET     /api/v1/auth/me                             -
GET     /api/v1/users                               administer
POST    /api/v1/users                               administer
PATCH   /api/v1/users/{name}                        administer
GET     /api/v1/keys                                administer
POST    /api/v1/keys                                administer
DELETE  /api/v1/keys/{prefix}                       administer
GET     /api/v1/audit                               administer
POST    /api/v1/models/{name}/predict               predict
POST    /api/v1/datasets/{name}/records             upload
DELETE  /api/v1/datasets/{name}/records/{record}    upload
POST    /api/v1/datasets/{name}/files               upload
OPTIONS /api/v1/datasets/{name}/uploads             -
POST    /api/v1/datasets/{name}/uploads             upload
OPTIONS /api/v1/uploads/{upload_id}                 -
HEAD    /api/v1/uploads/{upload_id}                 upload
PATCH   /api/v1/uploads/{upload_id}                 upload
DELETE  /api/v1/uploads/{upload_id}                 upload
GET     /api/v1/forms                               read
POST    /api/v1/forms/{form}/kobo                   upload
POST    /api/v1/forms/{form}/odk                    upload
POST    /collect/{stream}                           -
GET     /api/v1/jobs                                read|upload
GET     /api/v1/jobs/{job}                          read|upload
GET     /api/v1/jobs/{job}/events                   read|upload
POST    /api/v1/runs                                run
GET     /api/v1/runs                                read
GET     /api/v1/runs/{run}                          read
POST    /api/v1/runs/{run}/cancel                   run
GET     /api/v1/runs/{run}/results                  read
GET     /api/v1/runs/{run}/events                   read
GET     /api/v1/data                                read
GET     /api/v1/data/{layer}/{table}                read
GET     /api/v1/data/{layer}/{table}/statistics     read
POST    /api/v1/data/query                          query
GET     /api/v1/aggregations                        read
GET     /api/v1/metrics                             read
GET     /api/v1/metrics/{name}                      read
GET     /api/v1/documents                           read
GET     /api/v1/documents/{collection}              read
POST    /api/v1/documents/{collection}              write
GET     /api/v1/documents/{collection}/{id}         read
PUT     /api/v1/documents/{collection}/{id}         write
PATCH   /api/v1/documents/{collection}/{id}         write
DELETE  /api/v1/documents/{collection}/{id}         write
GET     /api/v1/alerts                              read
GET     /api/v1/streams                             read
GET     /api/v1/streams/{stream}                    read
GET     /api/v1/models                              read
GET     /api/v1/models/{name}                       read
GET     /api/v1/models/{name}/versions/{version}    read
GET     /api/v1/models/{name}/performance           read
POST    /api/v1/models/{name}/promote               deploy
POST    /api/v1/models/{name}/rollback              deploy
POST    /api/v1/models/{name}/hold                  deploy
POST    /api/v1/models/{name}/release               deploy
POST    /api/v1/models/{name}/train                 run
POST    /api/v1/experiments                         deploy
GET     /api/v1/experiments                         read
GET     /api/v1/experiments/{name}                  read
GET     /api/v1/experiments/{name}/report           read
POST    /api/v1/experiments/{name}/ramp             deploy
POST    /api/v1/experiments/{name}/stop             deploy
POST    /api/v1/experiments/{name}/decide           deploy
GET     /api/v1/datasets                            read
GET     /api/v1/datasets/{name}                     read
GET     /api/v1/features                            read
GET     /api/v1/features/{name}                     read
GET     /api/v1/relations                           read
GET     /api/v1/relations/{schema}/{name}           read
GET     /api/v1/lineage/assets/{path}               read
GET     /api/v1/lineage/rows/{layer}/{table}        read
GET     /api/v1/quality/rules                       read
GET     /api/v1/quality/datasets/{name}             read
GET     /api/v1/quality/checks                      read
GET     /api/v1/quarantine                          read
GET     /api/v1/quarantine/rows                     read
GET     /api/v1/quarantine/drops                    read
POST    /api/v1/quarantine/release                  release
POST    /api/v1/quarantine/discard                  release
POST    /api/v1/quarantine/correct                  release
GET     /api/v1/health/live                         -
GET     /api/v1/health/ready                        -
GET     /metrics                                    read
GET     /status                                     read
GET     /datasets/{name}                            read
GET     /drops                                      read
GET     /drops/{drop}                               read
GET     /dbt                                        read
"""
#: What each endpoint demands, `|` between permissions of which any will do; None where it is open to all.
TABLE = {
    f"{method} {path}": None if demanded == "-" else demanded
    for method, path, demanded in map(str.split, WRITTEN.strip().splitlines())
}
SOCKETS = {"/api/v1/jobs/{job}/ws": "read|upload"}


def test_the_table_names_every_endpoint_that_is_described(here) -> None:
    paths = make_app(here).openapi()["paths"]
    assert {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods} == set(TABLE)


def test_each_endpoint_says_of_itself_what_the_table_says(here) -> None:
    routes = [route for route in every_route(make_app(here)) if hasattr(route, "dependant")]
    described = {
        f"{method} {without_types(path_of(route))}": demanded_by(route)
        for route in routes
        if getattr(route, "include_in_schema", False)
        for method in route.methods
    }
    assert described == TABLE
    sockets = {path_of(route): demanded_by(route) for route in routes if not hasattr(route, "methods")}
    assert sockets == SOCKETS


def path_of(route) -> str:
    return getattr(route, "path", "")


def without_types(path: str) -> str:
    return re.sub(r":[a-z]+\}", "}", path)


def call(client, endpoint: str) -> int:
    """With a value for each parameter of the path, and a body where one may be needed: which are let in is decided
    before anything else is looked at, so the body may be wrong and the id unknown."""
    method, path = endpoint.split()
    path = re.sub(r"\{(upload_id|job)\}", "00000000-0000-0000-0000-000000000000", path)
    path = re.sub(r"\{name\}", "visits", path)
    path = re.sub(r"\{[a-z_]+\}", "1", path)
    body = {"json": {}} if method in ("POST", "PUT", "PATCH") else {}
    return client.request(method, path, **body).status_code


def fits(role: str | None, demanded: str | None, status: int) -> bool:
    if demanded is None:
        return status != 403
    if role is None:
        return status == 401
    if ALLOWED[role].isdisjoint(demanded.split("|")):
        return status == 403
    return status not in (401, 403)


@pytest.mark.parametrize("role", [None, *ROLES])
def test_each_role_gets_where_the_table_says_and_nowhere_else(api, site, role) -> None:
    users.add(site.connection, "ada", "admin", "correct horse battery", "test")  # without one monitoring is open here
    with api.to(role or "viewer") as client:
        client.base_url = api.url
        if role is None:
            del client.headers["Authorization"]
        found = {endpoint: call(client, endpoint) for endpoint in TABLE}
    assert {one: status for one, status in found.items() if not fits(role, TABLE[one], status)} == {}
    assert {one: status for one, status in found.items() if status == 500} == {}


def test_who_may_read_follows_any_job_by_a_socket_and_a_device_its_own(api) -> None:
    job = api.to("device").post(RECORDS, json=GOOD).json()["job"]

    def is_let_in(headers: dict[str, str]) -> bool:
        try:
            with connect(f"{api.url.replace('http', 'ws')}/api/v1/jobs/{job}/ws", additional_headers=headers) as socket:
                return bool(socket.recv())
        except InvalidStatus as refused:
            return refused.response.status_code != 403

    let_in = {role: is_let_in({"Authorization": f"Bearer {api.key(role)}"}) for role in ROLES}
    assert let_in == {role: "read" in ALLOWED[role] for role in ROLES}
    assert not is_let_in({})
