"""Alerts over HTTP: what the command line lists, to who may read."""

import pytest
from alerting import declare, watch

from lastmile.contracts import Route


@pytest.fixture
def bad(site, settings):
    declare(site.database_url, site.contract, Route(channels=("team",)))
    site.arrive("a.csv", "v1,bad,2,1,done", "v2,bad,2,1,done", "v3,3,2,1,done")
    watch(settings).pass_by(10)


def test_what_fires_is_answered_with_value_threshold_and_owner(bad, engineer, site):
    answer = engineer.get("/alerts")
    assert answer.status_code == 200, answer.text
    found = answer.json()
    (alert,) = found["alerts"]
    assert (alert["rule"], alert["subject"], alert["part"]) == ("bad_share", "visits", "2020")
    assert (alert["state"], alert["value"], alert["threshold"], alert["silenced"]) == ("firing", 1.0, 0.1, False)
    assert alert["owner"] == site.contract.owner
    assert "quarantined whole" in alert["text"]


def test_what_may_quote_a_row_is_withheld_from_who_may_not_see_personal_columns(bad, viewer):
    (alert,) = viewer.get("/alerts").json()["alerts"]
    assert alert["text"] is None
