"""`lastmile init` never touches what is there already; what it makes is run in tests/end_to_end/test_wheel.py."""

import subprocess
import sys
from pathlib import Path

import pytest

from lastmile.cli.init import init
from lastmile.errors import UserError


@pytest.mark.parametrize("kind", ["file", "folder with a file"])
def test_what_is_no_empty_folder_is_refused_and_left_as_it_is(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "mydir"
    if kind == "file":
        place.write_text("mine")
    else:
        place.mkdir()
        (place / "mine").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UserError, match="is not an empty folder; name a new one"):
        init(place)
    assert sorted(tmp_path.rglob("*")) == before


def test_any_name_of_a_folder_becomes_one_that_dbt_accepts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "2024 Visits (été)"
    init(place)
    assert "name: my_project_2024_visits_t\n" in (place / "dbt_project" / "dbt_project.yml").read_text()
    assert 'name = "my_project_2024_visits_t"' in (place / "pyproject.toml").read_text()
    assert "lastmile up" in capsys.readouterr().out


def test_the_contracts_are_dbt_sources_from_the_start(tmp_path: Path) -> None:
    place = tmp_path / "mydir"
    init(place)
    done = subprocess.run(
        [sys.executable, "-m", "lastmile.cli", "dbt-sources", "--check"],
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
