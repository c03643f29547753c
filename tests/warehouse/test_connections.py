"""Addresses in every form, and what a person reads when one is wrong."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import make_url

from lastmile.embedded.database import database, running_url
from lastmile.errors import UserError
from lastmile.settings import Settings
from lastmile.warehouse.connections import connect, dagster_url, libpq_environment


def test_without_a_database_it_says_how_to_get_one(home: Path) -> None:
    assert home
    with pytest.raises(UserError, match=r"Run `lastmile up`, or set the variable"):
        running_url(Settings.from_environment())


def test_a_given_address_wins(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert home
    monkeypatch.setenv("LASTMILE_DATABASE_URL", "postgresql://a/b")
    assert running_url(Settings.from_environment()) == "postgresql://a/b"


def test_a_configured_database_replaces_the_embedded_one(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LASTMILE_DATABASE_URL", "postgresql://a/b")
    with database(Settings.from_environment()) as url:
        assert url == "postgresql://a/b"
    assert not home.exists()


def test_without_one_the_embedded_database_runs_for_the_while(home: Path) -> None:
    settings = Settings.from_environment()
    with database(settings) as url:
        assert running_url(settings) == url
    with pytest.raises(UserError, match="no database"):
        running_url(settings)


def test_a_connection_commits_at_once_and_carries_our_name(database_url: str) -> None:
    with connect(database_url) as connection:
        connection.execute("CREATE TABLE seen ()")
        with connect(database_url) as other:
            assert other.execute(
                "SELECT to_regclass('seen') IS NOT NULL, current_setting('application_name')"
            ).fetchone() == (
                True,
                "lastmile",
            )


@pytest.mark.parametrize(
    "url",
    [
        "mysql://lastmile:secret@localhost/db",
        "postgresql+psycopg://lastmile:secret@localhost/db",
        "postgresql://lastmile:se%zzcret@localhost/db",
        "postgresql://lastmile:se@secret@localhost/db",
        "postgresql://lastmile:1/secret@localhost/db",
        "lastmile:secret@localhost",
        "",
    ],
)
def test_a_malformed_address_is_refused_without_showing_its_password(url: str) -> None:
    with pytest.raises(UserError, match="expected postgresql://user:password@host:5432/database") as refusal:
        connect(url)
    assert "secret" not in str(refusal.value)


def test_a_wrong_password_is_one_line_that_does_not_show_it(postgres: str) -> None:
    with pytest.raises(UserError, match="wrong user or password") as refusal:
        connect(postgres.replace(postgres.split(":")[2].split("@")[0], "hunter2"))
    assert "hunter2" not in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_database_that_is_not_there_is_named(postgres: str) -> None:
    with pytest.raises(UserError, match='database "nowhere" does not exist; create it'):
        connect(f"{postgres.rpartition('/')[0]}/nowhere")


def test_an_unreachable_server_is_reported_immediately() -> None:
    with pytest.raises(UserError, match=r"127\.0\.0\.1:9/db: connection refused; is the server up"):
        connect("postgresql://lastmile:secret@127.0.0.1:9/db")


def test_a_server_that_never_answers_is_given_up_in_seconds() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        with pytest.raises(UserError, match="is the server up"):
            connect(f"postgresql://lastmile@127.0.0.1:{silent.getsockname()[1]}/db")
        assert time.monotonic() - began < 15


def test_dagsters_tables_go_to_their_own_schema(database_url: str) -> None:
    import psycopg2

    url = dagster_url(database_url)
    assert url.startswith("postgresql+psycopg2://")
    with psycopg2.connect(url.replace("+psycopg2", "")) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE runs ()")
        cursor.execute("SELECT relnamespace::regnamespace::text FROM pg_class WHERE relname = 'runs'")
        assert cursor.fetchone() == ("dagster",)


words = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_categories=["Cc", "Cs"]), min_size=1, max_size=12
)


@given(user=words, password=words)
def test_every_form_of_an_address_means_the_same(user: str, password: str) -> None:
    given = f"postgresql://{quote(user, safe='')}:{quote(password, safe='')}@host:6543/survey?sslmode=require"
    made = make_url(dagster_url(given))
    assert (made.username, made.password, made.host, made.port, made.database) == (
        user,
        password,
        "host",
        6543,
        "survey",
    )
    assert dict(made.query) == {"sslmode": "require", "options": "-csearch_path=dagster"}
    assert libpq_environment(given) == {
        "PGHOST": "host",
        "PGPORT": "6543",
        "PGUSER": user,
        "PGPASSWORD": password,
        "PGDATABASE": "survey",
        "PGSSLMODE": "require",
    }


def test_programs_that_read_the_environment_reach_the_same_database(database_url: str) -> None:
    code = "import psycopg; print(psycopg.connect('').execute('SELECT current_database()').fetchone()[0])"
    variables = {**os.environ, **libpq_environment(database_url)}
    said = subprocess.run(
        [sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=True
    ).stdout
    assert said.strip() == psycopg.conninfo.conninfo_to_dict(database_url)["dbname"]
