"""What is decided arrives: by mail with what it is about, by webhook, once, over outages and restarts."""

import csv
import io
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from alerting import Watch, declare, mail_server, watch, webhook

from lastmile.contracts.alerts import Route
from lastmile.errors import UserError
from lastmile.operations.alerts.delivery import outbox
from lastmile.operations.alerts.delivery.channels import channels, unusable
from lastmile.operations.alerts.silences import lift, silence
from lastmile.quarantine.discard import discard, discardable
from lastmile.quarantine.query import Selection
from lastmile.settings.alerts import AlertSettings

ROUTE = Route(channels=("team",))


@pytest.fixture
def hook():
    with webhook() as found:
        yield found


@pytest.fixture
def bad_drop(site, settings):
    """Two bad rows of three."""
    site.under(max_bad_share=0.9)
    declare(site.database_url, site.contract, ROUTE)
    site.arrive("a.csv", "v1,3,2,1,done", "v2,bad,2,1,done", "v3,3,2,1,unheard")
    return site


def decide(site):
    """The rows of the drop are discarded: nothing is wrong any more."""
    found = discardable(site.connection, Selection("visits", store=site.store.url))
    discard(site.connection, found.rows, found.drops, "trial interviews")


def test_a_bad_drop_is_one_mail_with_the_rules_it_broke_and_one_when_it_is_mended(bad_drop, settings):
    with mail_server() as box:
        here = watch(settings, f"team={box.address}")
        here.pass_by(10)
        decide(bad_drop)
        here.pass_by(10)
    first, last = box.received
    assert "bad_share: visits 2020" in first["Subject"]
    assert "over: bad_share: visits 2020" in last["Subject"]
    parts = list(first.walk())
    text = "".join(part.get_payload(decode=True).decode() for part in parts if part.get_content_type() == "text/plain")
    assert "66.7 % (threshold 10 %)" in text
    assert "https://example.org/runbook#bad_share" in text
    (attached,) = [part for part in parts if part.get_filename()]
    rows = list(csv.DictReader(io.StringIO(attached.get_payload(decode=True).decode())))
    assert {(row["partition"], row["column"], row["rows"]) for row in rows} == {
        ("2020", "persons", "1"),
        ("2020", "outcome", "1"),
    }
    assert "unheard" not in str(first)  # the values of rows may be personal


def test_a_channel_that_is_down_gets_its_messages_once_when_it_is_back(bad_drop, settings, hook):
    hook.status = 503
    here = watch(settings, f"team={hook.address}")
    here.pass_by(10)
    assert hook.received == []
    (lost,) = outbox.undelivered(bad_drop.connection, datetime.now(UTC))
    assert lost["channel"] == "team"
    assert "503" in lost["error"]
    hook.status = 200
    here.pass_by(20)
    assert hook.titles == ["[warning] bad_share: visits 2020"]
    assert outbox.undelivered(bad_drop.connection, datetime.now(UTC)) == []


def test_a_channel_that_stays_down_keeps_no_other_waiting(bad_drop, settings, hook):
    declare(bad_drop.database_url, bad_drop.contract, Route(channels=("gone", "team")))
    here = watch(settings, f"gone=json://127.0.0.1:9/x team={hook.address}")
    here.pass_by(10)
    assert hook.titles == ["[warning] bad_share: visits 2020"]


def test_a_watcher_killed_between_deciding_and_sending_loses_nothing_and_doubles_nothing(
    bad_drop, settings, hook, monkeypatch
):
    import lastmile.operations.watching.watcher as module

    class Killed(BaseException):
        pass

    def killed(*_):
        raise Killed

    here = watch(settings, f"team={hook.address}")
    here.look(4)
    with monkeypatch.context() as patch:
        patch.setattr(module, "deliver", killed)
        while not outbox.messages(bad_drop.connection, 1):
            with pytest.raises(Killed):
                here.look()
    assert hook.received == []
    here.restart()
    here.pass_by(10)
    assert hook.titles == ["[warning] bad_share: visits 2020"]


def test_of_two_watchers_each_message_comes_once(bad_drop, settings, hook):
    first, second = (watch(settings, f"team={hook.address}") for _ in range(2))
    for _ in range(12):
        first.look()
        second.look()
    assert hook.titles == ["[warning] bad_share: visits 2020"]


def test_a_watcher_leaves_everything_to_the_one_at_work(bad_drop, settings, hook):
    here = watch(settings, f"team={hook.address}")
    with psycopg.connect(bad_drop.database_url, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(hashtext('operations.watcher'))")
        here.pass_by(10)
        assert hook.received == []
    here.pass_by(10)
    assert len(hook.received) == 1


def test_without_a_channel_alerts_are_listed_only(bad_drop, settings):
    here = watch(settings)
    here.pass_by(10)
    (message,) = outbox.messages(bad_drop.connection, 10)
    assert (message["channels"], message["title"]) == ([], "[warning] bad_share: visits 2020")
    assert any("listed only" in line for line in here.said)
    assert outbox.undelivered(bad_drop.connection, datetime.now(UTC)) == []


def test_a_silence_keeps_back_what_fits_until_it_is_lifted(bad_drop, settings, hook):
    until = datetime.now(UTC) + timedelta(days=1)
    made = silence(bad_drop.connection, until, "known", "ada", rule="bad_*", subject="visits")
    here = watch(settings, f"team={hook.address}")
    here.pass_by(10)
    assert hook.received == []
    assert lift(bad_drop.connection, made.id)
    here.pass_by(2)
    assert hook.titles == ["[warning] bad_share: visits 2020"]


def test_a_thousand_partitions_are_one_message(site, settings, hook):
    declare(site.database_url, site.contract, ROUTE)
    site.query(
        """
        INSERT INTO ledger.drops (dataset, partition, store, key, version, size, modified_at, state, settled_at,
            rows_read, rows_loaded, rows_quarantined, rows_duplicate)
        SELECT 'visits', (1000 + n)::text, %s, 'landing/visits/' || n, '1', 1, now(), 'quarantined', now(), 10, 0, 10, 0
        FROM generate_series(1, 1000) n RETURNING id
        """,
        site.store.url,
    )
    here = watch(settings, f"team={hook.address}")
    here.pass_by(10)
    assert hook.titles == ["[warning] bad_share: 1,000 of visits"]
    site.query("UPDATE ledger.drops SET discarded_at = now() RETURNING id")
    here.pass_by(10)
    assert hook.titles[1:] == ["[warning] over: bad_share: 1,000 of visits"]
    site.query("DELETE FROM ledger.drops RETURNING id")


@pytest.mark.parametrize("given", ["team", "team=", "team=example.org", "a b=json://x"])
def test_a_channel_that_is_no_name_and_address_is_refused_without_showing_it(given):
    with pytest.raises(UserError, match="LASTMILE_ALERTS_CHANNELS: entry 1") as error:
        channels(AlertSettings(channels=given))
    assert "example.org" not in str(error.value).replace("alerts.example.org", "")


def test_an_address_of_no_known_service_is_found():
    known = channels(AlertSettings(channels="a=json://example.org\nb=carrier-pigeon://loft"))
    assert unusable(known) == ["b"]


def test_an_error_does_not_show_the_password_of_the_channel(bad_drop, settings):
    here: Watch = watch(settings, "team=json://ada:very-secret-word@127.0.0.1:9/x")
    here.pass_by(10)
    (lost,) = outbox.undelivered(bad_drop.connection, datetime.now(UTC))
    assert "very-secret-word" not in lost["error"] + "".join(here.said)
