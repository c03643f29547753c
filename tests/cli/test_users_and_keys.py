"""`lastmile users` and `lastmile keys`: who may use the API, made by the operator of the machine."""

import pytest
from commands import Commands
from typer.testing import CliRunner

from lastmile.access import keys as room
from lastmile.access.secret import secret
from lastmile.cli.app import app

PASSWORD = "correct horse battery"


@pytest.fixture
def users(settings):
    return Commands("users")


@pytest.fixture
def keys(settings):
    return Commands("keys", columns=200)


def add(name, *options):
    return CliRunner().invoke(app, ["users", "add", name, *options], input=f"{PASSWORD}\n")


def test_a_user_is_added_changed_disabled_and_enabled(users):
    assert "add one with" in users.said("list")
    assert add("root", "--role", "admin").stdout.strip() == "added root, admin"
    assert add("ada", "--role", "engineer").exit_code == 0
    assert "ada is analyst" in users.said("role", "ada", "analyst")
    assert "signed out everywhere" in users.said("disable", "ada")
    assert "ada  analyst" in " ".join(users.said("list").split("  ")).replace("   ", "  ")
    assert "may sign in" in users.said("enable", "ada")
    assert CliRunner().invoke(app, ["users", "password", "ada"], input=f"{PASSWORD} anew\n").exit_code == 0


def test_mistakes_with_users_say_what_to_do(users):
    assert "there is no user 'eve'" in users.mistake("role", "eve", "viewer")
    assert "expected one of the roles" in str(add("ada", "--role", "device").exception)
    assert "expected lower-case letters" in str(add("Ada Lovelace").exception)
    short = CliRunner().invoke(app, ["users", "add", "ada"], input="short\n")
    assert "12 to 256 characters" in str(short.exception)
    add("root", "--role", "admin")
    assert "last admin" in users.mistake("disable", "root")
    assert "there is a user 'root' already" in str(add("root").exception)


def test_a_key_is_shown_once_and_works_until_it_is_revoked(keys, settings, database_url):
    import psycopg

    key = keys.said("create", "tablet 7", "--role", "device", "--dataset", "hhinfo", "--days", "90", "--quiet").strip()
    with psycopg.connect(database_url, autocommit=True) as connection:
        found = room.find(connection, secret(settings), key)
        assert found is not None
        assert (found.name, found.datasets) == ("tablet 7", ["hhinfo"])
        assert "tablet 7" in keys.said("list")
        assert key not in keys.said("list")
        assert "is void" in keys.said("revoke", found.prefix)
        assert room.find(connection, secret(settings), key) is None
    assert "no key" in keys.mistake("revoke", found.prefix)


def test_mistakes_with_keys_say_what_to_do(keys):
    assert "name at least one with --dataset" in keys.mistake("create", "tablet", "--role", "device")
    assert "cannot have the scopes administer" in keys.mistake(
        "create", "app", "--role", "viewer", "--scope", "administer"
    )
    assert "expected one of the roles" in keys.mistake("create", "app", "--role", "boss")
