"""The metrics: what Prometheus reads is what the ledger says."""

from itertools import chain

import pytest
from prometheus_client.parser import text_string_to_metric_families

from lastmile.serving.metrics import exposition


def scraped(text):
    samples = chain.from_iterable(family.samples for family in text_string_to_metric_families(text))
    return {(sample.name, *sorted(sample.labels.items())): sample.value for sample in samples}


def value(found, name, **labels):
    return found[(f"lastmile_{name}", *sorted({"dataset": "visits", **labels}.items()))]


@pytest.mark.behaviour(number=31)
def test_a_scrape_gives_state_rows_backlog_and_lag(site, api):
    site.arrive("a.csv", "v1,3,2,1,done", "v2,bad,2,1,done")
    site.put_rows("b.csv", "v3,3,2,1,done")
    site.discover()
    site.query("UPDATE ledger.drops SET discovered_at = now() - interval '1 hour' WHERE id = 2 RETURNING id")
    answer = api("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    found = scraped(answer.text)
    assert value(found, "drops", state="loaded") == value(found, "drops", state="discovered") == 1
    assert [value(found, "rows", outcome=name) for name in ("read", "loaded", "quarantined")] == [2, 1, 1]
    assert value(found, "backlog_drops") == 1
    assert 3600 <= value(found, "lag_seconds") < 3660
    assert value(found, "undecided", what="rows") == 1
    assert value(found, "newest_drop_age_seconds") < 60


def test_a_scrape_gives_the_records_accepted_and_those_that_wait(site, api, monkeypatch):
    monkeypatch.setattr("lastmile.ingestion.submissions.gatherer.step", lambda *_: 0)
    record = {"_id": "r1", "visit": "v1", "persons": 3}
    assert api.to("device").post("/datasets/visits/records?partition=2020", json=record).status_code == 202
    found = scraped(api("/metrics").text)
    assert found["lastmile_records_accepted_total", ("dataset", "visits")] == 1
    assert ("lastmile_records_waiting", ("dataset", "visits")) in found


@pytest.mark.behaviour(number=20)
def test_a_scrape_gives_the_lateness(site, api):
    site.arrive("first.csv", "v0,3,2,1,done")
    site.began("2020-06-01")
    site.arrive("a.csv", "v1,3,2,1,done")
    found = scraped(api("/metrics").text)
    assert value(found, "late_drops") == 1
    _, drop = site.drops()
    assert value(found, "lateness_seconds") == pytest.approx(drop["lateness_seconds"], abs=0.1)


def test_a_warehouse_without_drops_has_metrics_without_values(site, api):
    answer = api("/metrics")
    assert answer.status_code == 200
    labels = {name for _, *pairs in scraped(answer.text) for name, _ in pairs}
    assert labels.isdisjoint({"dataset", "model"})  # the process counts what it did itself


def test_any_dataset_name_can_be_a_label():
    standing = {
        "drops": {"failed": 1},
        "rows": {},
        "undecided": {},
        **dict.fromkeys(("backlog", "lag_seconds", "late", "lateness_seconds"), 0),
        **dict.fromkeys(("newest_age_seconds", "failures", "removed"), 0),
    }
    name = 'a "b"\\c\nd € '
    found = scraped(exposition({name: standing}).decode())
    assert found["lastmile_drops", ("dataset", name), ("state", "failed")] == 1
