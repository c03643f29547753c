"""Who gets in, and how: keys, passwords, sessions, the first admin, and what ends each at once."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from lastmile.access import keys, users
from lastmile.access.roles import ALLOWED, ROLES

PASSWORD = "correct horse battery"


@pytest.fixture
def ada(here, site):
    return users.add(site.connection, "ada", "engineer", PASSWORD, "test")


def signed_in(api, name="ada", password=PASSWORD):
    return api("/api/v1/auth/token", "POST", json={"name": name, "password": password})


def me(api, token):
    return api("/api/v1/auth/me", headers={"Authorization": f"Bearer {token}"})


def audited(site):
    return [row["action"] for row in site.query("SELECT action FROM access.audit ORDER BY id")]


def test_a_key_says_who_has_it_and_what_it_may(api):
    for role in ROLES:
        found = api.to(role).get("/auth/me").json()
        assert (found["role"], set(found["permissions"])) == (role, set(ALLOWED[role]))
    assert api.to("device").get("/auth/me").json()["datasets"] == ["visits"]


def test_a_key_may_have_fewer_permissions_than_its_role(api):
    client = api.to("engineer", scopes=["read"])
    assert client.get("/auth/me").json()["permissions"] == ["read"]


def test_a_key_is_kept_nowhere(api, site):
    key = api.key("engineer")
    proof = key.split("_", 2)[2]
    kept = "SELECT keys::text AS row FROM access.keys UNION ALL SELECT audit::text FROM access.audit"
    assert not any(proof in row["row"] for row in site.query(kept))


@pytest.mark.parametrize("header", ["Authorization", "X-API-Key"])
def test_a_wrong_key_is_refused_wherever_it_stands(api, header):
    wrong = api.key("admin")[:-1] + "!"
    value = f"Bearer {wrong}" if header == "Authorization" else wrong
    answer = api("/api/v1/auth/me", headers={header: value})
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
    assert "is not valid" in answer.json()["detail"]
    assert "WWW-Authenticate" in answer.headers


def test_a_revoked_key_is_void_at_once_although_it_was_remembered(api, site):
    client = api.to("viewer")
    prefix = client.headers["authorization"].split("_")[1]
    assert client.get("/auth/me").status_code == 200
    keys.revoke(site.connection, prefix, "test")
    assert wait_until(lambda: client.get("/auth/me").status_code == 401)


def test_a_key_ends_when_it_was_said_to(api):
    client = api.to("viewer", expires_at=datetime.now(UTC) - timedelta(seconds=1))
    assert client.get("/auth/me").status_code == 401


def test_the_last_use_of_a_key_is_noted(api, site):
    api.to("viewer").get("/auth/me")
    assert wait_until(lambda: site.query("SELECT 1 FROM access.keys WHERE last_used_at > now() - interval '1 minute'"))


def test_a_password_gives_tokens_and_a_wrong_one_none(api, ada):
    tokens = signed_in(api).json()
    assert me(api, tokens["access_token"]).json()["name"] == "user:ada"
    assert signed_in(api, password="another long one").status_code == 401
    assert signed_in(api, name="bob").status_code == 401


def test_how_long_a_refusal_takes_tells_nothing_of_names(api, ada):
    def median(name):
        times = []
        for _ in range(5):
            began = time.perf_counter()
            signed_in(api, name=name, password="another long one")
            times.append(time.perf_counter() - began)
        return sorted(times)[2]

    median("ada")
    assert 0.4 < median("ada") / median("nobody-of-this-name") < 2.5


def test_a_refresh_token_is_valid_once_and_a_copy_ends_the_session(api, ada):
    first = signed_in(api).json()
    second = api("/api/v1/auth/refresh", "POST", json={"refresh_token": first["refresh_token"]}).json()
    assert me(api, second["access_token"]).status_code == 200
    copied = api("/api/v1/auth/refresh", "POST", json={"refresh_token": first["refresh_token"]})
    assert copied.status_code == 401
    assert wait_until(lambda: me(api, second["access_token"]).status_code == 401)


def test_signing_out_ends_the_session(api, ada):
    tokens = signed_in(api).json()
    api("/api/v1/auth/sign-out", "POST", headers={"Authorization": f"Bearer {tokens['access_token']}"})
    assert wait_until(lambda: me(api, tokens["access_token"]).status_code == 401)
    assert api("/api/v1/auth/refresh", "POST", json={"refresh_token": tokens["refresh_token"]}).status_code == 401


def test_a_disabled_user_is_out_and_stays_out(api, ada, site):
    tokens = signed_in(api).json()
    users.disable(site.connection, "ada", "test")
    assert wait_until(lambda: me(api, tokens["access_token"]).status_code == 401)
    assert signed_in(api).status_code == 401
    users.enable(site.connection, "ada", "test")
    assert signed_in(api).status_code == 200


def test_another_role_counts_at_once(api, ada, site):
    token = signed_in(api).json()["access_token"]
    users.change_role(site.connection, "ada", "viewer", "test")
    assert wait_until(lambda: me(api, token).json()["role"] == "viewer")


def test_the_last_admin_cannot_be_disabled(api, site):
    users.add(site.connection, "root", "admin", PASSWORD, "test")
    answer = api.to("admin").patch("/users/root", json={"disabled": True})
    assert (answer.status_code, "last admin" in answer.json()["detail"]) == (409, True)


def test_the_first_admin_is_made_once_with_the_secret_that_is_shown_once(api, here, site):
    from lastmile.access.setup import first_secret

    secret = first_secret(site.connection, here.secret)
    assert first_secret(site.connection, here.secret) is None
    given = {"secret": secret, "name": "root", "password": PASSWORD}
    assert api("/api/v1/auth/setup", "POST", json=given | {"secret": "guessed"}).status_code == 409
    made = api("/api/v1/auth/setup", "POST", json=given)
    assert made.status_code == 201
    assert me(api, made.json()["access_token"]).json()["role"] == "admin"
    assert api("/api/v1/auth/setup", "POST", json=given | {"name": "another"}).status_code == 409


def test_no_secret_is_shown_where_there_is_a_user_already(here, ada, site):
    from lastmile.access.setup import first_secret

    assert first_secret(site.connection, here.secret) is None


@pytest.mark.parametrize(("password", "status"), [("short", 409), ("x" * 257, 422)])
def test_a_password_that_can_be_guessed_is_refused(api, password, status):
    answer = api.to("admin").post("/users", json={"name": "eve", "role": "viewer", "password": password})
    assert answer.status_code == status


def test_admins_make_users_and_keys_and_all_of_it_is_in_the_log(api, site):
    admin = api.to("admin")
    assert admin.post("/users", json={"name": "eve", "role": "viewer", "password": PASSWORD}).status_code == 201
    assert admin.post("/users", json={"name": "eve", "role": "viewer", "password": PASSWORD}).status_code == 409
    changed = admin.patch("/users/eve", json={"role": "analyst", "password": "another long one"}).json()
    assert changed["role"] == "analyst"
    made = admin.post("/keys", json={"name": "tablet 7", "role": "device", "datasets": ["visits"], "days": 90}).json()
    assert me(api, made["key"]).json()["datasets"] == ["visits"]
    assert admin.delete(f"/keys/{made['prefix']}").status_code == 204
    assert [one["name"] for one in admin.get("/users").json()] == ["eve"]
    assert made["key"] not in admin.get("/keys").text
    actions = ["create key", "add user", "change role to analyst of user", "change password of user", "create key"]
    assert audited(site) == [*actions, "revoke key"]
    log = admin.get("/audit", params={"limit": 2}).json()
    assert [one["action"] for one in log] == ["revoke key", "create key"]
    older = admin.get("/audit", params={"before": log[-1]["id"], "limit": 1}).json()
    assert older[0]["action"] == "change password of user"
    assert PASSWORD not in admin.get("/audit").text


def test_the_log_is_only_ever_added_to(here, ada, site):
    for statement in ("UPDATE access.audit SET actor = 'me'", "DELETE FROM access.audit", "TRUNCATE access.audit"):
        with pytest.raises(Exception, match="append-only"):
            site.connection.execute(statement)
    assert audited(site) == ["add user"]


def test_a_device_needs_a_dataset(api):
    answer = api.to("admin").post("/keys", json={"name": "tablet", "role": "device"})
    assert "name at least one" in answer.json()["detail"]


def wait_until(holds, seconds=10):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)
    return True
