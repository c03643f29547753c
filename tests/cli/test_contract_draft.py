"""`lastmile contract draft`: to stdout or to a file that the platform finds."""

import sys

import pytest

from lastmile.cli.app import app
from lastmile.contracts import load_contracts
from lastmile.ingestion.draft.check import contract_of


@pytest.fixture
def run(monkeypatch):
    def run(*words):
        monkeypatch.setattr(sys, "argv", ["lastmile", "contract", "draft", *map(str, words)])
        try:
            app(standalone_mode=False)
        finally:
            sys.path_importer_cache.clear()

    return run


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "visits.csv"
    path.write_text("visit_id,hours\n" + "".join(f"V{n},{n}.5\n" for n in range(5)))
    return path


def test_a_draft_goes_to_stdout_under_the_name_of_the_file(run, file, capsys):
    run(file)
    assert contract_of(capsys.readouterr().out).name == "visits"


def test_a_draft_for_a_new_domain_is_found_by_the_platform(run, file, home, tmp_path, monkeypatch, capsys):
    (tmp_path / "my_assets").mkdir()
    (tmp_path / "my_assets" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("LASTMILE_ASSETS", "my_assets")
    run(file, "--domain", "field")
    assert str(tmp_path / "my_assets" / "field" / "contracts" / "visits.py") in capsys.readouterr().out.replace(
        "\n", ""
    )
    assert list(load_contracts("my_assets")) == ["visits"]


def test_a_file_that_is_there_is_not_overwritten(run, file, tmp_path):
    target = tmp_path / "contract.py"
    target.write_text("mine")
    with pytest.raises(Exception, match="is there already"):
        run(file, "--to", target)
    assert target.read_text() == "mine"


def test_the_name_of_the_target_is_that_of_the_dataset(run, file, tmp_path):
    run(file, "--to", tmp_path / "deep" / "trips.py")
    assert contract_of((tmp_path / "deep" / "trips.py").read_text()).name == "trips"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--name", "My Visits"], "cannot be the name of a dataset"),
        (["--domain", "field", "--to", "x.py"], "give one of them"),
        (["--domain", "../elsewhere"], "cannot be the name"),
    ],
)
def test_a_mistake_is_refused_before_anything_is_read(run, file, words, why):
    with pytest.raises(Exception, match=why):
        run(file, *words)
