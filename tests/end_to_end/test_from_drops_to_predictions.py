"""The main job through the real daemon: drops in, predictions and a report out, whatever is killed on the way."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import psycopg
import pytest
from checkout import PROJECT
from end_to_end.installation import LASTMILE, Installation, wait_for

from lastmile.embedded.processes import free_port
from lastmile.operations.audit import violations

DATASETS = ("crop", "hhinfo", "lstk", "lstk_prod")
#: Rows of a drop that takes seconds to load.
LARGE = 400_000


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """A home with a sample and a large drop, whose platform is killed hard while the large one is being loaded."""
    with Installation(tmp_path_factory.mktemp("sample") / "home") as one:
        one.run("sample", "household_survey", "--size", "800", "--seed", "11", "--partitions", "2021-2023")
        large = one.home.parent / "large.csv"
        large.write_text("hhid,name,n\n" + "".join(f"zz_big_2021_{number}_1,goats,3\n" for number in range(LARGE)))
        one.run("drop", large, "--dataset", "lstk", "--partition", "2021")
        with one.postgres() as url, psycopg.connect(url, autocommit=True) as database:
            running = one.start("up", "--once")
            wait_for(lambda: is_being_loaded(database, "large.csv"))
            for process in one.processes():
                if "postgres" not in process.name():
                    process.send_signal(signal.SIGKILL)
            running.wait(30)
            one.visible = database.execute("SELECT count(*) FROM raw.lstk WHERE hhid LIKE 'zz_big%'").fetchone()[0]
        yield one


def is_being_loaded(database, name):
    (made,) = database.execute("SELECT to_regclass('ledger.drops') IS NOT NULL").fetchone()
    claimed = "SELECT FROM ledger.drops WHERE state = 'claimed' AND key LIKE '%%' || %s"
    return made and database.execute(claimed, [name]).rowcount


@pytest.fixture(scope="module")
def installation(killed):
    """The same home, worked through in its second life."""
    killed.printed = killed.run("up", "--once")
    return killed


@pytest.fixture(scope="module")
def truth(installation):
    return json.loads(next(installation.home.rglob("household_survey.json")).read_text())


@pytest.fixture
def database(installation):
    """The installation's own Postgres, kept up for the test so that it can be looked into."""
    with installation.postgres() as url, psycopg.connect(url, autocommit=True) as connection:
        yield connection


def rows(state):
    return {name: dataset["rows"] for name, dataset in state["datasets"].items()}


@pytest.mark.behaviour(number=9)
def test_everything_killed_mid_load_leaves_no_row_and_the_next_life_loads_them_all(killed, installation, database):
    assert killed.visible == 0
    assert database.execute("SELECT count(*) FROM raw.lstk WHERE hhid LIKE 'zz_big%'").fetchone() == (LARGE,)
    assert [fault for dataset in DATASETS for fault in violations(database, dataset)] == []


def test_the_sample_is_taken_exactly_as_its_generator_says(installation, truth):
    state = installation.status()
    expected = truth["datasets"]
    for count in ("read", "loaded"):
        expected["lstk"][count] += LARGE
    assert rows(state) == expected
    assert state["drops"] == truth["states"] | {"loaded": truth["states"]["loaded"] + 1}
    assert state["backlog"] == 0


def test_the_surveys_with_a_wrong_factor_are_found(database, truth):
    found = database.execute(
        "SELECT survey_id FROM marts.dim_survey WHERE conversion_check IN ('inconsistent', 'undecided', 'implausible')"
    ).fetchall()
    assert {survey for (survey,) in found} >= set(truth["wrong_factor"])


def test_a_model_and_predictions_for_every_household_come_out(installation, database):
    state = installation.status()
    model = next(model for model in state["models"] if model["name"] == "vulnerability")
    assert model["scores"]["balanced_accuracy"] > model["scores"]["dummy"]["balanced_accuracy"]
    assert sum(state["predictions"]["vulnerability"].values()) == state["datasets"]["hhinfo"]["rows"]["loaded"]
    versions = database.execute("SELECT DISTINCT model_version FROM predictions.vulnerability").fetchall()
    assert versions == [(model["version"],)]
    assert list((installation.home / "store" / "reports").rglob("*.html"))


NOTEBOOK = """
from assets.definitions import defs

rows = defs.load_asset_value(["features", "household_vulnerability"])
predicted = defs.load_asset_value(["predictions", "vulnerability"], partition_key="2022")
print(type(rows).__module__, len(rows), len(predicted))
"""


def test_a_notebook_has_features_and_predictions_as_pandas_frames(installation, database):
    surroundings = installation.environment | json.loads(installation.run("env", "--json"))
    command = [sys.executable, "-c", NOTEBOOK]
    shown = subprocess.run(command, env=surroundings, cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    households = dict(database.execute("SELECT survey_year, count(*) FROM marts.dim_household GROUP BY 1").fetchall())
    assert shown.split()[-3:] == ["pandas", str(sum(households.values())), str(households[2022])]


def test_a_second_time_does_no_work_and_says_so(installation):
    before = ageless(installation.status())
    assert "nothing to do" in installation.run("up", "--once")
    assert ageless(installation.status()) == before


def ageless(status):
    """What is told without how long ago the newest drop came, which changes while one looks."""
    if not isinstance(status, dict):
        return status
    return {name: ageless(value) for name, value in status.items() if name != "newest_age_seconds"}


def test_a_changed_file_replaces_its_rows_and_a_redo_of_all_years_is_one_run(installation, database, tmp_path):
    small = tmp_path / "small.csv"
    small.write_text("hhid,name,n\nzz_big_2021_7_1,goats,4\n")
    installation.run("drop", small, "--dataset", "lstk", "--partition", "2021", "--as", "large.csv")
    (before,) = database.execute("SELECT max(id) FROM dagster.event_logs").fetchone()
    installation.run("backfill", "--from", "2021", "--to", "2023", "--redo")
    assert database.execute("SELECT n FROM raw.lstk WHERE hhid LIKE 'zz_big%'").fetchall() == [(4,)]
    taken = database.execute(
        "SELECT DISTINCT run_id FROM ledger.drops WHERE state IN ('loaded', 'quarantined')"
    ).fetchall()
    assert len(taken) == 1
    made = (
        "SELECT count(DISTINCT run_id) FROM dagster.event_logs"
        " WHERE id > %s AND asset_key = %s AND dagster_event_type = 'ASSET_MATERIALIZATION'"
    )
    for asset, most in (('["cleaned", "lstk"]', 2), ('["intermediate", "int_household_livestock"]', 3)):
        (runs,) = database.execute(made, (before, asset)).fetchone()
        assert runs <= most, "one for the changed file, one for the years, and their tables at once"
    assert [fault for dataset in DATASETS for fault in violations(database, dataset)] == []


class Page:
    """The commands of a page in the order in which they stand there, each with what those before it exported."""

    def __init__(self, installation, folder, address):
        self.folder, self.path = folder, f"{Path(LASTMILE).parent}:{os.environ['PATH']}"
        self.environment = {**installation.environment, "PATH": self.path}
        text = (PROJECT / "docs" / "api.md").read_text().replace("http://127.0.0.1:3100", address)
        self.commands = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)

    def run(self, command):
        script = f"set -eu; touch kept; . ./kept; {command}\ndeclare -px > kept"
        done = subprocess.run(
            ["bash", "-c", script], cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout


def is_ready(address):
    try:
        return httpx.get(f"{address}/api/v1/health/ready").json()["daemon"] == "ready"
    except (httpx.HTTPError, KeyError):
        return False


def test_the_commands_of_the_page_on_the_api_lead_from_an_upload_to_a_prediction(installation, tmp_path):
    port = free_port()
    with (tmp_path / "up.log").open("w") as output:
        up = installation.start("up", "--port", str(free_port()), "--api-port", str(port), output=output)
    address = f"http://127.0.0.1:{port}"
    wait_for(lambda: is_ready(address), 300)
    page = Page(installation, tmp_path, address)
    signed, sent, followed, predicted, traced, uploaded, read = page.commands
    page.run(signed)
    assert json.loads(page.run(sent))["records"] == 1
    assert "event: loaded" in page.run(followed)

    def answered():
        (found,) = json.loads(page.run(predicted))["predictions"]
        return "problem" not in found and found

    found = wait_for(answered, 600, every=5)
    assert sum(found["probabilities"].values()) == pytest.approx(1)
    assert found["level"] in found["probabilities"]
    assert found["reasons"]
    assert "landing/hhinfo/2024/records/" in wait_for(lambda: "_line" in (said := page.run(traced)) and said, 300, 5)
    assert "job" in json.loads(page.run(uploaded))
    said = page.run(read)
    assert '"vulnerability_level"' in said
    assert "hhid,survey_id" in said
    up.send_signal(signal.SIGINT)
    assert up.wait(120) == 0
