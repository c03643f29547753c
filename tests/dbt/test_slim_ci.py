"""A change is built and tested alongside production: only what it touches, and nothing of it stays."""

import shutil

import pytest
from checkout import PROJECT

from lastmile.warehouse.dbt.artifacts import publish_manifest
from lastmile.warehouse.dbt.project import MANIFEST
from lastmile.warehouse.dbt.slim_ci import build_changes

SCHEMAS = "SELECT nspname::text FROM pg_namespace WHERE starts_with(nspname, 'dbt_ci_')"


@pytest.fixture
def production(warehouse, store):
    """One household in marts that production built and left its manifest of."""
    warehouse.put_household(2017, "ml_one_2017_1")
    warehouse.run("run")
    publish_manifest(store, warehouse.project / MANIFEST)
    return warehouse


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A checkout of the dbt project to change."""
    copy = shutil.copytree(
        PROJECT / "dbt_project", tmp_path / "dbt_project", ignore=shutil.ignore_patterns("target", "logs")
    )
    monkeypatch.setenv("DBT_PROJECT_DIR", str(copy))
    monkeypatch.setenv("DBT_PROFILES_DIR", str(tmp_path))
    monkeypatch.setenv("DBT_LOG_PATH", str(tmp_path))
    return copy


def built(capfd):
    """Models that dbt said it made."""
    lines = [line.split() for line in capfd.readouterr().out.splitlines() if "OK created sql" in line]
    return [word.rpartition(".")[2] for line in lines for word in line if word.startswith("dbt_ci_")]


def test_a_change_that_breaks_a_test_fails_and_leaves_nothing_behind(production, project, settings, capfd):
    model = project / "models" / "marts" / "summary_country_year.sql"
    model.write_text(model.read_text().replace("count(vulnerability_level) as computable", "7 as computable"))
    url = production.settings.given_database_url
    production.connection.execute("CREATE SCHEMA dbt_ci_of_a_killed_run")
    production.connection.execute("CREATE SCHEMA dbt_ci_at_work")
    production.connection.execute("SELECT pg_advisory_lock(hashtextextended('dbt_ci_at_work', 0))")

    assert build_changes(settings, url) == 1

    assert production.select(SCHEMAS) == [("dbt_ci_at_work",)]
    assert production.select("SELECT computable FROM marts.summary_country_year") == [(1,)]
    production.connection.execute("SELECT pg_advisory_unlock(hashtextextended('dbt_ci_at_work', 0))")
    production.connection.execute("DROP SCHEMA dbt_ci_at_work")


def test_only_what_a_change_touches_is_built_and_the_rest_is_read_where_it_is(production, project, settings, capfd):
    model = project / "models" / "marts" / "dim_survey.sql"
    model.write_text(model.read_text() + "\n-- a thought\n")
    assert build_changes(settings, production.settings.given_database_url) == 0
    assert built(capfd) == ["dim_survey", "fct_household_year", "summary_country_year"]
    assert production.select(SCHEMAS) == []
