"""A database is made ready for the platform without what that needs staying in the memory of `lastmile up`."""

import os
import subprocess
import sys

import pytest

from lastmile.embedded import database_ready
from lastmile.embedded.database_ready import make_ready
from lastmile.errors import UserError
from lastmile.warehouse.connections import connect
from lastmile.warehouse.migrate import is_current


def variables(url):
    return {**os.environ, "LASTMILE_DATABASE_URL": url}


def test_a_new_database_is_migrated_in_another_process(empty_database_url):
    code = (
        "import os, sys\n"
        "from lastmile.embedded.database_ready import make_ready\n"
        "make_ready(os.environ['LASTMILE_DATABASE_URL'], os.environ)\n"
        "print(*sys.modules)"
    )
    environment = variables(empty_database_url)
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert {"alembic", "sqlalchemy", "dagster"}.isdisjoint(done.stdout.split())
    assert is_current(empty_database_url)


def test_of_one_that_is_ready_no_process_is_started(database_url, monkeypatch):
    started = []
    monkeypatch.setattr(database_ready, "fork", lambda *_, **__: started.append(1))
    make_ready(database_url, variables(database_url))
    assert started == []


def test_what_keeps_it_from_being_migrated_is_said(database_url):
    with connect(database_url) as connection:
        connection.execute("UPDATE ledger.alembic_version SET version_num = '9999'")
    with pytest.raises(UserError, match=r"migrated by newer code.*update this installation"):
        make_ready(database_url, variables(database_url))
