"""dbt stands alone: in whose schema and on which database it works when nothing is said."""

import subprocess

import jinja2
import pytest
import yaml
from checkout import PROJECT
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lastmile.warehouse.dbt.profile import own_schema, profile
from lastmile.warehouse.dbt.project import DBT

LASTMILE = DBT.with_name("lastmile")
TABLES = "SELECT relnamespace::regnamespace::text, oid FROM pg_class WHERE relkind IN ('r', 'v') ORDER BY oid"


def rendered(text, target, **variables):
    """An output of the profile as dbt reads it, with these variables set."""
    environment = jinja2.Environment()
    environment.filters["as_number"] = int
    environment.globals["env_var"] = lambda name, default: variables.get(name, default)
    output = yaml.safe_load(text)["lastmile"]["outputs"][target]
    return {key: environment.from_string(str(value)).render() for key, value in output.items()}


@pytest.fixture
def shell(warehouse, tmp_path):
    """A developer's shell in `dbt_project`, which knows where the installation is, or where it is `bare`, nothing."""

    def run(*command, bare=False):
        with warehouse.environment(), pytest.MonkeyPatch.context() as patch:
            for name in ("PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE", "PGSSLMODE"):
                patch.delenv(name, raising=False)
            if bare:
                patch.delenv("LASTMILE_HOME")
                patch.delenv("LASTMILE_DATABASE_URL")
            for name, folder in {"PROFILES_DIR": "profiles", "TARGET_PATH": "target", "LOG_PATH": "logs"}.items():
                patch.setenv(f"DBT_{name}", str(tmp_path / folder))
            return subprocess.run(
                command, cwd=PROJECT / "dbt_project", capture_output=True, text=True, timeout=300, check=False
            )

    return run


def test_a_developer_builds_into_a_schema_of_their_own_and_touches_nothing_in_use(warehouse, shell):
    warehouse.put("crop", 2017, hhid="a", name="maize")
    before = warehouse.select(TABLES)
    through_lastmile = shell(LASTMILE, "dbt", "build", "--select", "stg_crop")
    assert through_lastmile.returncode == 0, through_lastmile.stdout
    alone = shell(DBT, "build", "--select", "int_household_crops", bare=True)
    assert alone.returncode == 0, alone.stdout
    assert warehouse.select(f"SELECT hhid, crop_count FROM {own_schema()}.int_household_crops") == [("a", 1)]
    assert [found for found in warehouse.select(TABLES) if found[0] != own_schema()] == before
    assert warehouse.select("SELECT * FROM intermediate.int_household_crops") == []
    warehouse.connection.execute(f"DROP SCHEMA {own_schema()} CASCADE".encode())


def test_what_follows_lastmile_dbt_is_given_to_dbt_and_its_exit_code_is_returned(shell):
    done = shell(LASTMILE, "dbt", "build", "--no-such-option")
    assert (done.returncode, "--no-such-option" in done.stderr) == (2, True)


@settings(max_examples=30)
@example(password="\x85")
@given(password=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
def test_any_password_is_what_dbt_reads(password):
    assert rendered(profile("dev", {"PGPASSWORD": password}), "dev")["password"] == password


def test_variables_of_the_environment_come_first():
    text = profile("dev", {"PGHOST": "kept.example.org", "PGPORT": "20001"}, "dbt_ada")
    kept = rendered(text, "dev")
    assert (kept["host"], kept["port"], kept["schema"]) == ("kept.example.org", "20001", "dbt_ada")
    for target, schema in (("prod", "public"), ("dev", "dbt_review"), ("ci", "dbt_review")):
        named = rendered(text, target, PGHOST="named.example.org", DBT_SCHEMA="dbt_review")
        assert (named["host"], named["schema"]) == ("named.example.org", schema)


@pytest.mark.parametrize(("user", "schema"), [("ada", "dbt_ada"), ("Ada.Lovelace", "dbt_ada_lovelace")])
def test_the_schema_is_named_after_the_user(user, schema, monkeypatch):
    monkeypatch.setenv("LOGNAME", user)
    assert own_schema() == schema
