"""All real survey drops of 2015 to 2019 through the real daemon: every row accounted for, wrong factors named."""

import shutil

import psycopg
import pytest
from end_to_end.installation import Installation

from lastmile.operations.audit import violations

pytestmark = pytest.mark.flow

DATASETS = ("crop", "hhinfo", "lstk", "lstk_prod")


@pytest.fixture(scope="module")
def installation(tmp_path_factory, shared_data):
    """A home in which every real survey was dropped with the command line and worked through."""
    folder = tmp_path_factory.mktemp("real")
    for file in (shared_data / "household_rhomis").glob("year=*/*/*.csv"):
        year, survey = file.parts[-3].removeprefix("year="), file.parts[-2]
        place = folder / "drops" / file.stem / year / survey
        place.mkdir(parents=True)
        shutil.copy(file, place)
    with Installation(folder / "home") as one:
        for year in sorted((folder / "drops").glob("*/*")):
            one.run("drop", year, "--dataset", year.parent.name, "--partition", year.name)
        one.run("up", "--once")
        yield one


@pytest.fixture
def database(installation):
    with installation.postgres() as url, psycopg.connect(url, autocommit=True) as connection:
        yield connection


def test_every_drop_is_loaded_and_every_row_accounted_for(installation, database):
    state = installation.status()
    assert state["drops"] == {"loaded": 77 + 77 + 76 + 76}
    assert [fault for dataset in DATASETS for fault in violations(database, dataset)] == []
    read = {name: dataset["rows"]["read"] for name, dataset in state["datasets"].items()}
    assert read == {"crop": 18_422, "hhinfo": 2_815, "lstk": 5_306, "lstk_prod": 3_728}
    assert state["rows"]["quarantined"] < 0.01 * state["rows"]["read"]


def test_the_impossible_harvest_is_set_aside_with_its_line_and_reason(installation):
    shown = installation.run("quarantine", "show", "--dataset", "crop", "--partition", "2015")
    assert "at most" in shown
    assert "31000" in shown or "1550" in shown


def test_surveys_with_a_wrong_conversion_factor_are_named_by_a_check(database):
    """Against what is published; the only surveys of Senegal, Cambodia and Palestine have no others to compare with."""
    wrong = dict(
        database.execute(
            "SELECT survey_id, conversion_check FROM marts.dim_survey"
            " WHERE conversion_check NOT IN ('consistent', 'unverified')"
        ).fetchall()
    )
    assert wrong == {
        "cd_clp_2017": "inconsistent",
        "tz_glv_2017": "inconsistent",
        "bi_snv_2019": "inconsistent",
        "kh_sil_2018": "inconsistent",
        "ps_fao_2018": "inconsistent",
        "sn_ftf_2018": "inconsistent",
    }
    said = database.execute(
        "SELECT string_agg(evaluation_event::text, '') FROM dagster.asset_check_executions"
        " WHERE asset_key LIKE '%dim_survey%'"
    ).fetchone()[0]
    assert all(survey in said for survey in wrong)
    held_back = database.execute(
        "SELECT count(*), count(value_ppp_per_person_per_day) FROM marts.fct_household_year WHERE survey_id = ANY(%s)",
        [list(wrong)],
    ).fetchone()
    assert held_back[0] > 200
    assert held_back[1] == 0


def test_levels_and_predictions_come_out(installation, database):
    levels = dict(
        database.execute("SELECT vulnerability_level, count(*) FROM marts.fct_household_year GROUP BY 1").fetchall()
    )
    assert {"On Track", "At Risk", "Struggling", "Severely Struggling"} <= set(levels)
    assert levels["Severely Struggling"] > levels["On Track"] > levels["At Risk"]
    state = installation.status()
    assert sum(state["predictions"]["vulnerability"].values()) == sum(levels.values())
    scores = next(model["scores"] for model in state["models"] if model["name"] == "vulnerability")
    assert scores["balanced_accuracy"] > scores["dummy"]["balanced_accuracy"]
