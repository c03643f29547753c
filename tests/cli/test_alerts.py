"""`lastmile alerts`: what a person reads of alerts, and decides."""

import json
import re

import pytest
from alerting import declare, mail_server, watch, webhook
from commands import Commands

from lastmile.contracts import Route

ALERTS = Commands("alerts")


@pytest.fixture
def bad(site, settings, monkeypatch):
    """A drop of two bad rows of three, looked at until it fires."""
    monkeypatch.setenv("LASTMILE_STORE_URL", site.store.url)
    declare(site.database_url, site.contract, Route(channels=("team",)))
    site.arrive("a.csv", "v1,bad,2,1,done", "v2,bad,2,1,done", "v3,3,2,1,done")
    here = watch(settings)
    here.pass_by(10)
    return here


def test_nothing_is_said_where_nothing_is_wrong(site, settings):
    printed = ALERTS.said("list")
    assert "nothing fires" in printed
    assert "never evaluated" in printed


def test_what_fires_is_listed_with_value_threshold_owner_and_what_to_do(bad, site):
    printed = ALERTS.said("list")
    for text in (
        "bad_share visits 2020",
        "firing",
        "100 % (threshold 10 %)",
        site.contract.owner,
        "runbook.md#bad_share",
    ):
        assert text in printed
    (found,) = json.loads(ALERTS.said("list", "--json"))["alerts"]
    assert (found["rule"], found["subject"], found["part"], found["state"]) == ("bad_share", "visits", "2020", "firing")


def test_a_silence_is_shown_and_can_be_lifted(bad):
    printed = ALERTS.said("silence", "bad_share", "visits", "--for", "2d", "--comment", "known", "--by", "ada")
    number = re.search(r"silence (\d+)", printed)[1]
    assert "silenced" in ALERTS.said("list")
    assert "by ada: known" in ALERTS.said("list")
    assert "over" in ALERTS.said("lift", number)
    assert "silenced" not in ALERTS.said("list")
    assert f"no silence {number}" in ALERTS.mistake("lift", number)


@pytest.mark.parametrize("given", ["2 weeks", "-1h", "h", "", "99999999d"])
def test_a_time_that_is_none_is_refused_with_an_example(site, settings, given):
    assert "such as 30m, 4h or 2d" in ALERTS.mistake("silence", "--comment", "known", f"--for={given}")


def test_a_silence_without_a_reason_is_refused(site, settings):
    assert "say why" in ALERTS.mistake("silence", "--comment", " ")


def test_what_is_acknowledged_says_so_once(bad):
    assert "acknowledged bad_share visits 2020" in ALERTS.said("acknowledge", "bad_share", "visits", "--by", "ada")
    assert "acknowledged" in ALERTS.said("list")
    assert "nothing of bad_share visits" in ALERTS.mistake("acknowledge", "bad_share", "visits")
    assert "acknowledged by ada" in ALERTS.said("history")


def test_the_history_has_what_fired_and_the_messages(bad):
    assert "bad_share visits 2020" in ALERTS.said("history", "--rule", "bad_share")
    assert "nothing yet" in ALERTS.said("history", "--rule", "disk")
    assert "listed only" in ALERTS.said("history", "--messages")


def test_a_test_message_arrives_by_mail_and_by_webhook(home, monkeypatch):
    with mail_server() as box, webhook() as hook:
        monkeypatch.setenv("LASTMILE_ALERTS_CHANNELS", f"mail={box.address}\nhook={hook.address}")
        printed = ALERTS.said("test")
    assert len(re.findall("sent", printed)) == 2
    assert [one["Subject"] for one in box.received] == hook.titles == ["[info] test"]


def test_a_channel_that_does_not_accept_it_is_named_with_the_reason(home, monkeypatch):
    with webhook() as hook:
        hook.status = 403
        monkeypatch.setenv("LASTMILE_ALERTS_CHANNELS", f"hook={hook.address}")
        done = ALERTS.run("test", "--channel", "hook")
    assert done.exit_code == 1
    assert "failed" in done.output
    assert "403" in done.output


def test_channels_may_come_from_a_file(home, monkeypatch, tmp_path):
    with webhook() as hook:
        (tmp_path / "channels").write_text(f"hook={hook.address}\n")
        monkeypatch.setenv("LASTMILE_ALERTS_CHANNELS_FILE", str(tmp_path / "channels"))
        ALERTS.said("test", "--channel", "hook")
        assert hook.titles == ["[info] test"]


def test_a_channel_that_is_not_configured_is_named(home, monkeypatch):
    monkeypatch.setenv("LASTMILE_ALERTS_CHANNELS", "hook=json://127.0.0.1:9/x")
    assert "fax is not among the channels configured: hook" in ALERTS.mistake("test", "--channel", "fax")
    assert "on-call is not among" in ALERTS.mistake("test", "--owner", "someone@example.org")


def test_without_any_channel_the_setting_is_named(home):
    assert "LASTMILE_ALERTS_CHANNELS" in ALERTS.mistake("test")
