"""The dbt project is parsed once for all processes of a home, and again exactly when it changed."""

import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
from checkout import PROJECT

from lastmile.errors import UserError
from lastmile.warehouse.dbt.engine_macros import MACROS
from lastmile.warehouse.dbt.project import MANIFEST, prepared
from lastmile.warehouse.dbt.sources import SOURCES, sources_yaml

PREPARE = """
from lastmile.contracts import load_contracts
from lastmile.settings import Settings
from lastmile.warehouse.dbt.project import prepared
print(prepared(Settings.from_environment(), load_contracts()))
"""


@pytest.fixture
def project(tmp_path):
    """A copy of the project that a test may change."""
    return shutil.copytree(PROJECT / "dbt_project", tmp_path / "dbt_project")


def parsed_at(folder):
    return (folder / MANIFEST).stat().st_mtime_ns


def test_it_is_parsed_once_and_again_when_the_sql_changes(settings, contracts, project):
    first = prepared(settings, contracts, project)
    before = parsed_at(first)
    assert prepared(settings, contracts, project) == first
    assert parsed_at(first) == before

    model = project / "models" / "marts" / "dim_survey.sql"
    model.write_text(model.read_text() + "\n-- changed\n")
    second = prepared(settings, contracts, project)
    assert second != first
    assert "-- changed" in (second / MANIFEST).read_text()
    assert parsed_at(first) == before


def test_processes_that_start_at_once_get_the_same_whole_project(settings):
    starts = [
        subprocess.Popen([sys.executable, "-c", PREPARE], stdout=subprocess.PIPE, text=True, cwd=PROJECT) for _ in "ab"
    ]
    folders = {start.communicate(timeout=120)[0].strip() for start in starts}
    assert [start.returncode for start in starts] == [0, 0]
    (folder,) = folders
    assert folder.startswith(str(settings.home))


def test_what_a_killed_process_left_half_done_is_made_anew(settings, contracts, project):
    folder = prepared(settings, contracts, project)
    (folder / "ready").unlink()
    (folder / MANIFEST).write_text("{")
    assert prepared(settings, contracts, project) == folder
    assert (folder / MANIFEST).stat().st_size > 10_000


def test_a_new_contract_is_a_source_in_the_home_and_the_project_stays_as_it_is(settings, contracts, project):
    before = (project / SOURCES).read_text()
    more = {**contracts, "sales": replace(contracts["lstk"], name="sales")}
    folder = prepared(settings, more, project)
    assert (folder / SOURCES).read_text() == sources_yaml(more)
    assert (project / SOURCES).read_text() == before


def test_a_project_that_does_not_parse_is_refused_with_the_words_of_dbt(settings, contracts, project):
    (project / "models" / "marts" / "dim_survey.sql").write_text("select * from {{ ref('nowhere') }}")
    with pytest.raises(UserError, match="depends on a node named 'nowhere'"):
        prepared(settings, contracts, project)


def test_the_macros_are_the_engine_s_own_whatever_the_project_has(settings, contracts, project):
    (project / "lastmile" / "window.sql").write_text("-- of an older engine")
    folder = prepared(settings, contracts, project)
    assert (folder / "lastmile" / "window.sql").read_text() == (MACROS / "window.sql").read_text()


def test_a_folder_without_a_dbt_project_is_named_with_what_to_do(settings, contracts, tmp_path):
    with pytest.raises(UserError, match=r"expected .*/dbt_project.yml; `lastmile init mydir` shows"):
        prepared(settings, contracts, tmp_path)
