"""`lastmile clean`: looks first, asks, and removes only what was said."""

from datetime import timedelta

import pytest
from declaring import changed
from typer.testing import CliRunner

from lastmile.cli.app import app
from lastmile.cli.clean import parse_age
from lastmile.contracts import loading as contracts
from lastmile.errors import UserError

pytestmark = pytest.mark.behaviour(number=30)


@pytest.fixture
def run(site, monkeypatch):
    monkeypatch.setenv("LASTMILE_DATABASE_URL", site.database_url)
    monkeypatch.setenv("LASTMILE_STORE_URL", site.store.url)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments, retention=None):
        monkeypatch.setattr(
            contracts, "load_contracts", lambda _: {"visits": changed(site.contract, retention=retention)}
        )
        return CliRunner().invoke(app, ["clean", *arguments])

    return run


def left(site):
    return [listed.key.rpartition("/")[2] for listed in site.store.list("landing/")]


def test_a_dry_run_shows_what_goes_and_what_stays_and_why(site, run):
    site.arrive("a.csv", "v1,3,2,1,done")
    site.arrive("b.csv", "v2,bad,2,1,done")
    result = run("--older-than", "0d", "--dry-run")
    assert result.exit_code == 0
    assert "1: not loaded" in result.stdout
    assert "nothing was removed" in result.stdout
    assert sorted(left(site)) == ["a.csv", "b.csv"]


def test_nothing_is_removed_before_somebody_says_yes(site, run):
    site.arrive("a.csv", "v1,3,2,1,done")
    result = run("--older-than", "0d")
    assert isinstance(result.exception, UserError)
    assert "--yes" in str(result.exception)
    assert left(site) == ["a.csv"]
    assert "removed 1 objects, 55 bytes" in run("--older-than", "0d", "--yes").stdout
    assert left(site) == []
    assert "there is nothing to remove" in run("--older-than", "0d", "--yes").stdout


def test_a_dataset_without_retention_is_left_alone_unless_an_age_is_given(site, run):
    site.arrive("a.csv", "v1,3,2,1,done")
    assert "declares no retention" in run("--yes").stdout
    assert left(site) == ["a.csv"]
    run("--yes", retention=timedelta(days=1))
    assert left(site) == ["a.csv"]
    run("--yes", retention=timedelta(0))
    assert left(site) == []


def test_an_unknown_dataset_is_told(run):
    assert "no dataset 'nothing'; there are: visits" in str(run("--dataset", "nothing").exception)


@pytest.mark.parametrize(
    ("text", "age"),
    [("90d", timedelta(days=90)), ("12h", timedelta(hours=12)), ("30m", timedelta(minutes=30)), ("0d", timedelta(0)),
     ("2w", timedelta(weeks=2))],
)  # fmt: skip
def test_an_age_is_read_in_its_unit(text, age):
    assert parse_age(text) == age


@pytest.mark.parametrize("text", ["", "soon", "-1d", "1.5d", "90", "9999999d"])
def test_an_age_that_is_none_is_told(text):
    with pytest.raises(UserError, match="expected such as 90d"):
        parse_age(text)
