"""The runbook has an entry for each rule; its commands run, and those that mend do."""

import re
import shlex

import pytest
from alerting import declare, watch, webhook
from checkout import PROJECT
from typer.testing import CliRunner

from lastmile.cli.app import app
from lastmile.contracts import Route
from lastmile.operations.alerts.kinds import KINDS

PAGE = (PROJECT / "docs" / "runbook.md").read_text()
ENTRIES = dict(re.findall(r"^## (\w+)\n(.*?)(?=^##? |\Z)", PAGE, re.MULTILINE | re.DOTALL))


def commands(entry, block):
    """Of the first block of an entry, which shows the cause, or of the second, which mends."""
    blocks = re.findall(r"```\n(.*?)```", ENTRIES[entry], re.DOTALL)
    return blocks[block].splitlines()


SHOWING = sorted({command for entry in ENTRIES for command in commands(entry, 0)})


def test_there_is_an_entry_for_each_rule_and_no_other():
    assert list(ENTRIES) == list(KINDS)


@pytest.mark.parametrize("entry", ENTRIES)
def test_an_entry_says_what_it_means_how_to_see_it_and_what_to_do(entry):
    prose = re.split(r"```\n.*?```\n", ENTRIES[entry], flags=re.DOTALL)
    assert len(prose) == 3
    assert all(part.strip() for part in prose[:2])


@pytest.fixture
def installation(site, settings, monkeypatch, tmp_path):
    monkeypatch.setenv("LASTMILE_BACKUP_URL", (tmp_path / "backups").as_uri())
    monkeypatch.setenv("LASTMILE_STORE_URL", site.store.url)
    monkeypatch.setenv("COLUMNS", "160")
    return site


def run(command):
    done = CliRunner().invoke(app, shlex.split(command)[1:])
    return done.exit_code, f"{done.output}{done.exception or ''}"


@pytest.mark.parametrize("command", SHOWING)
def test_a_command_that_shows_the_cause_runs(installation, command):
    """Where no model was ever made; what it says of that is no failure."""
    installation.arrive("a.csv", "v1,bad,2,1,done", "v2,3,2,1,done", "v3,3,2,1,done")
    command = command.replace("hhinfo", "visits")
    code, said = run(command)
    if "doctor" in command:
        assert "alerts" in said
    elif "models show" in command:
        assert "no version" in said or code == 0
    else:
        assert code == 0, said


def test_the_commands_of_bad_share_show_the_cause_and_mend_it(installation, settings):
    site = installation
    declare(site.database_url, site.contract, Route(channels=("team",)))
    site.arrive("a.csv", "v1,bad,2,1,done", "v2,bad,2,1,done", "v3,3,2,1,done", year="2019")
    with webhook() as hook:
        here = watch(settings, f"team={hook.address}")
        here.pass_by(10)
        assert hook.titles == ["[warning] bad_share: visits 2019"]
        assert "persons" in run("lastmile quarantine list --dataset visits")[1]
        (mend,) = [one for one in commands("bad_share", 1) if "discard" in one]
        code, said = run(mend.replace("hhinfo", "visits"))
        assert code == 0, said
        here.pass_by(10)
    assert hook.titles[1:] == ["[warning] over: bad_share: visits 2019"]


def test_the_command_of_backup_too_old_mends_it(installation, settings):
    declare(installation.database_url, installation.contract, Route(channels=("team",)))
    installation.connection.execute(
        "INSERT INTO operations.backups (id, kind, ended_at) VALUES ('old', 'full', now() - interval '3 days')"
    )
    with webhook() as hook:
        here = watch(settings, f"team={hook.address}")
        here.pass_by(10)
        assert hook.titles == ["[warning] backup_too_old: platform"]
        (mend,) = commands("backup_too_old", 1)
        code, said = run(mend)
        assert code == 0, said
        here.pass_by(10)
    assert hook.titles[1:] == ["[warning] over: backup_too_old: platform"]
