"""Submissions by the webhooks of KoboToolbox and ODK Central, from the request to the rows of the tables."""

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import orjson
import psycopg
import pytest
from declaring import changed
from submitted_forms import CONTRACTS as FORM_CONTRACTS
from submitted_forms import HOUSEHOLD, V1, V2, central, event, kobo, review
from visits import Site

from lastmile.catalogue.describing import catalogue
from lastmile.catalogue.published import publish, read
from lastmile.contracts.loading import load_contracts, load_forms
from lastmile.ingestion.discovery.listing import discover
from lastmile.ingestion.worker import ingest_pending
from lastmile.operations.audit import violations
from lastmile.store import Store
from lastmile.warehouse.tables import ensure_table

HOUSEHOLDS, CROPS, ANIMALS = (
    "SELECT hhid, year, hh_size_members, gps_lat, land_owned_ha FROM raw.hhinfo",
    "SELECT hhid, name, harvest_kg FROM raw.crop ORDER BY name",
    "SELECT hhid, name, n FROM raw.lstk",
)


CONTRACTS = {name: changed(contract, quiet_period=timedelta(0)) for name, contract in FORM_CONTRACTS.items()}


@pytest.fixture
def site(any_store: Store, database_url: str) -> Iterator[Site]:
    """A site of the survey's datasets, whose books must be right at the end."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        for contract in CONTRACTS.values():
            ensure_table(connection, contract)
        yield Site(any_store, connection, database_url)
        assert [found for name in CONTRACTS for found in violations(connection, name)] == []


@pytest.fixture
def survey(site: Site, api: Any) -> Iterator[Any]:
    """The API with the household form; a client with a key for its datasets."""
    publish(site.connection, catalogue(CONTRACTS.values(), forms=[HOUSEHOLD]))
    api.here._looked_at = 0.0
    with api.to("device", datasets=list(CONTRACTS)) as client:
        yield client


def ingested(site: Site, sql: str) -> list[dict[str, Any]]:
    """The rows, once all that was accepted is in the tables."""
    deadline = time.monotonic() + 30
    waiting = (
        "SELECT 1 FROM submissions.records WHERE waiting UNION ALL"
        " SELECT 1 FROM submissions.objects WHERE written < generation"
    )
    while site.query(waiting):
        assert time.monotonic() < deadline, "what was accepted is not gathered"
        time.sleep(0.1)
    discover(site.connection, site.store, CONTRACTS)
    for contract in CONTRACTS.values():
        ingest_pending(site.connection, site.store, contract, ["2024"], "test")
    return site.query(sql)


@pytest.mark.parametrize(
    ("system", "found"), [("kobo", kobo(V1)), ("odk", central()), ("odk", event(V1))], ids=["kobo", "odk", "xml"]
)
def test_a_submission_becomes_a_household_with_its_crops_and_animals(
    survey: httpx.Client, site: Site, system: str, found: Any
) -> None:
    answer = survey.post(f"/forms/household/{system}", json=found)
    assert answer.status_code == 202, answer.text
    body = answer.json()
    assert (body["dataset"], body["partition"], body["records"]) == ("hhinfo", "2024", 4)
    (house,) = ingested(site, HOUSEHOLDS)
    assert house == {
        "hhid": "ke_pilot_2024_0001",
        "year": 2024,
        "hh_size_members": 5,
        "gps_lat": -1.28333,
        "land_owned_ha": 1.2,
    }
    crops = site.query(CROPS)
    assert [(row["hhid"], row["name"], row["harvest_kg"]) for row in crops] == [
        ("ke_pilot_2024_0001", "beans", 101.0),
        ("ke_pilot_2024_0001", "maize", 100.0),
    ]
    assert site.query(ANIMALS) == [{"hhid": "ke_pilot_2024_0001", "name": "goats", "n": 4}]
    job = survey.get(body["url"].removeprefix("/api/v1")).json()
    assert (job["kind"], job["state"]) == ("form", "loaded")


def test_an_edit_replaces_the_household_and_its_crops_a_rejection_withdraws_them(
    survey: httpx.Client, site: Site
) -> None:
    survey.post("/forms/household/kobo", json=kobo(V1)).raise_for_status()
    assert len(ingested(site, CROPS)) == 2
    survey.post("/forms/household/kobo", json=kobo(V2, V1, members=7, crops=("rice",))).raise_for_status()
    assert [row["hh_size_members"] for row in ingested(site, HOUSEHOLDS)] == [7]
    assert [row["name"] for row in site.query(CROPS)] == ["rice"]
    rejected = kobo(V2, V1, members=7, crops=("rice",), status="not_approved")
    survey.post("/forms/household/kobo", json=rejected).raise_for_status()
    assert ingested(site, HOUSEHOLDS) == []
    assert site.query(CROPS) == site.query(ANIMALS) == []


def test_a_review_in_central_withdraws_a_submission_and_brings_it_back(survey: httpx.Client, site: Site) -> None:
    for found, rows in ((event(V1), 1), (review("rejected"), 0), (review("approved"), 1)):
        survey.post("/forms/household/odk", json=found).raise_for_status()
        assert len(ingested(site, HOUSEHOLDS)) == rows


def test_a_page_of_the_feed_is_one_job(survey: httpx.Client, site: Site) -> None:
    page = [central() | {"__id": f"uuid:{number}", "meta": {}} for number in range(30)]
    for number, one in enumerate(page):
        one["interview"] = one["interview"] | {"hhid": f"ke_pilot_2024_{number:04}"}
    answer = survey.post("/forms/household/odk", json={"@odata.context": "...", "value": page})
    assert answer.json()["records"] == 120
    assert len(ingested(site, HOUSEHOLDS)) == 30
    assert len(site.query(CROPS)) == 60


def test_ten_deliveries_are_one(survey: httpx.Client, site: Site) -> None:
    repeated = [survey.post("/forms/household/kobo", json=kobo(V1)).json()["repeated"] for _ in range(10)]
    assert repeated == [0, *[4] * 9]
    assert len(ingested(site, HOUSEHOLDS)) == 1


def test_a_webhook_signs_in_as_it_can(survey: httpx.Client, api: Any) -> None:
    key = survey.headers["Authorization"].removeprefix("Bearer ")
    path = "/api/v1/forms/household/kobo"
    for more in ({"auth": ("anyone", key)}, {"headers": {"X-API-Key": key}}):
        assert api(path, "POST", json=kobo(V1), **more).status_code == 202
    for more in ({"auth": ("anyone", "wrong")}, {"headers": {"Authorization": "Basic ***"}}, {}):
        assert api(path, "POST", json=kobo(V1), **more).status_code == 401


def test_a_key_needs_the_datasets_of_the_repeats_too(survey: httpx.Client, api: Any) -> None:
    with api.to("device", datasets=["hhinfo", "crop"]) as client:
        answer = client.post("/forms/household/kobo", json=kobo(V1))
    assert answer.status_code == 403
    assert "lstk" in answer.json()["detail"]
    with api.to("viewer") as client:
        assert client.post("/forms/household/kobo", json=kobo(V1)).status_code == 403
        assert [one["name"] for one in client.get("/forms").json()] == ["household"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/forms/nothing/kobo", b"{}", 404),
        ("/forms/household/kobo", b"{}", 422),
        ("/forms/household/kobo", b"[]", 422),
        ("/forms/household/kobo", b"not json", 422),
        ("/forms/household/kobo", b'{"_uuid": "1", "a": NaN}', 422),
        ("/forms/household/kobo", b'{"_uuid": "1", "a": "\\ud800"}', 422),
        ("/forms/household/kobo", b'{"_uuid": "1", "a": ' + b"[" * 5000 + b"]" * 5000 + b"}", 422),
        ("/forms/household/odk", b'{"value": []}', 422),
        ("/forms/household/odk", b"\xff", 422),
        ("/forms/household/odk", b'{"type": "submission.create", "id": "1", "data": {"xml": "<data>"}}', 409),
    ],
)
def test_what_is_no_submission_is_a_problem_that_says_what_was_expected(
    survey: httpx.Client, site: Site, path: str, body: bytes, status: int
) -> None:
    answer = survey.post(path, content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert site.query("SELECT 1 FROM submissions.jobs") == []


@pytest.mark.parametrize("odd", ["\x00", "'; DROP TABLE submissions.jobs; --", "💧", ""])
def test_any_answer_is_kept_as_it_is(survey: httpx.Client, site: Site, odd: str) -> None:
    assert survey.post("/forms/household/kobo", json=kobo(V1, **{"farm/note": odd})).status_code == 202
    (found,) = site.query("SELECT body FROM submissions.records WHERE dataset = 'hhinfo'")
    assert orjson.loads(found["body"])["farm/note"] == odd


def test_what_is_written_is_in_the_audit_log(survey: httpx.Client, site: Site) -> None:
    survey.post("/forms/household/kobo", json=kobo(V1)).raise_for_status()
    entries = site.query("SELECT action, subject, rows FROM access.audit WHERE action = 'submit form'")
    assert entries == [{"action": "submit form", "subject": "household/hhinfo/2024", "rows": 4}]


def test_the_form_of_this_checkout_loads_and_is_published(site: Site) -> None:
    contracts = load_contracts("assets")
    forms = load_forms("assets", contracts)
    assert forms.broken == []
    publish(site.connection, catalogue(contracts.values(), forms=forms.values()))
    assert read(site.connection).forms["household"].repeats == {"crop_repeat": "crop", "lstk_repeat": "lstk"}


def test_a_form_that_names_what_there_is_not_costs_itself_alone() -> None:
    contracts = load_contracts("assets")
    del contracts["lstk"]
    (broken,) = load_forms("assets", contracts).broken
    assert str(broken) == (
        "form assets/household_survey/forms/household.py is left out: UserError: form household: there is no dataset"
        " 'lstk'"
    )
