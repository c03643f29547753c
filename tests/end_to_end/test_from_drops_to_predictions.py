"""The main job through the real daemon: drops in, predictions and a report out, whatever is killed on the way."""

import json
import signal

import psycopg
import pytest
from end_to_end.installation import Installation, wait_for

from lastmile.intake.auditing import violations

DATASETS = ("crop", "hhinfo", "lstk", "lstk_prod")


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    """One home for all tests of this file, filled with a sample and worked through once."""
    one = Installation(tmp_path_factory.mktemp("sample") / "home")
    one.run("sample", "--households", "800", "--seed", "11", "--years", "2021-2023")
    one.printed = one.run("up", "--once")
    yield one
    one.end()


@pytest.fixture(scope="module")
def truth(installation):
    return json.loads(next(installation.home.rglob("truth.json")).read_text())


@pytest.fixture
def database(installation):
    """The installation's own Postgres, kept up for the test so that it can be looked into."""
    with installation.postgres() as url, psycopg.connect(url, autocommit=True) as connection:
        yield connection


def rows(state):
    return {name: dataset["rows"] for name, dataset in state["datasets"].items()}


def test_the_sample_is_taken_exactly_as_its_generator_says(installation, truth):
    state = installation.status()
    assert rows(state) == truth["datasets"]
    assert state["drops"] == truth["states"]
    assert state["backlog"] == 0


def test_the_surveys_with_a_wrong_factor_are_found(database, truth):
    found = database.execute(
        "SELECT survey_id FROM marts.dim_survey WHERE conversion_check IN ('inconsistent', 'undecided', 'implausible')"
    ).fetchall()
    assert {survey for (survey,) in found} >= set(truth["wrong_factor"])


def test_a_model_and_predictions_for_every_household_come_out(installation, database):
    state = installation.status()
    (model,) = state["models"]
    assert model["name"] == "vulnerability"
    assert model["scores"]["balanced_accuracy"] > model["scores"]["dummy"]["balanced_accuracy"]
    assert sum(state["predictions"].values()) == state["datasets"]["hhinfo"]["rows"]["loaded"]
    versions = database.execute("SELECT DISTINCT model_version FROM predictions.vulnerability").fetchall()
    assert versions == [(model["version"],)]
    assert list((installation.home / "store" / "reports").rglob("*.html"))


def test_a_second_time_does_no_work_and_says_so(installation):
    before = installation.status()
    assert "nothing to do" in installation.run("up", "--once")
    assert installation.status() == before


def test_everything_killed_mid_load_ends_exact_the_next_time(installation, database, tmp_path):
    """New bytes for one drop and a large new drop; the platform is killed hard while the large one is being loaded."""
    survey = next((installation.home / "store" / "landing" / "lstk").rglob("*.csv"))
    year = survey.relative_to(installation.home / "store" / "landing" / "lstk").parts[0]
    large = tmp_path / "large.csv"
    large.write_text("hhid,name,n\n" + "".join(f"zz_big_{year}_{number}_1,goats,3\n" for number in range(400_000)))
    installation.run("drop", large, "--dataset", "lstk", "--partition", year)

    running = installation.start("up", "--once")
    wait_for(
        lambda: database.execute(
            "SELECT 1 FROM ledger.drops WHERE key LIKE '%large.csv' AND state = 'claimed'"
        ).fetchone()
    )
    for process in installation.processes():
        if "postgres" not in process.name():
            process.send_signal(signal.SIGKILL)
    running.wait(30)
    assert database.execute("SELECT count(*) FROM raw.lstk WHERE hhid LIKE 'zz_big%'").fetchone() == (0,)

    installation.run("up", "--once")
    assert database.execute("SELECT count(*) FROM raw.lstk WHERE hhid LIKE 'zz_big%'").fetchone() == (400_000,)
    assert [fault for dataset in DATASETS for fault in violations(database, dataset)] == []


def test_a_changed_file_replaces_its_rows_and_a_redo_of_all_years_is_one_run(installation, database, tmp_path):
    year = database.execute("SELECT partition FROM ledger.drops WHERE key LIKE '%large.csv'").fetchone()[0]
    small = tmp_path / "small.csv"
    small.write_text(f"hhid,name,n\nzz_big_{year}_7_1,goats,4\n")
    installation.run("drop", small, "--dataset", "lstk", "--partition", year, "--as", "large.csv")
    before = database.execute("SELECT count(*) FROM dagster.runs").fetchone()[0]
    installation.run("backfill", "--from", "2021", "--to", "2023", "--redo")
    assert database.execute("SELECT n FROM raw.lstk WHERE hhid LIKE 'zz_big%'").fetchall() == [(4,)]
    taken = database.execute(
        "SELECT DISTINCT run_id FROM ledger.drops WHERE state IN ('loaded', 'quarantined')"
    ).fetchall()
    assert len(taken) == 1
    assert database.execute("SELECT count(*) FROM dagster.runs").fetchone()[0] - before < 12
    assert [fault for dataset in DATASETS for fault in violations(database, dataset)] == []
