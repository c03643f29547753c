"""Predictions over HTTP: what the pipeline predicts, from the version in use, whatever else is away."""

import asyncio
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx
import numpy as np
import pytest
from experimenting import CAUSE
from fields import HARVEST, LEVELS, YIELD
from learned import candidate, declare, learned
from serving.conftest import running

from lastmile.learning.predictions.prediction import predictions
from lastmile.learning.registry import deployments
from lastmile.learning.registry.versions import register
from lastmile.learning.training.fitting import predicted


@pytest.fixture
def known(site, here):
    found = learned(site.connection, site.store)
    declare(site.connection)
    return found


@pytest.fixture
def client(known, here):
    with running(here) as api, api.to("analyst") as client:
        yield client


def ask(client, model="fields", status=200, **body):
    answer = client.post(f"/models/{model}/predict", json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


def test_rows_are_predicted_as_the_pipeline_does(client, known):
    rows = [known.row(number) for number in range(50)]
    found = ask(client, rows=rows)
    assert (found["model"], found["version"], found["question"], found["instead_of"]) == ("fields", "1", "poor", None)
    expected = predicted(YIELD, known.estimators["1"], known.rows.head(50))
    shares = [[one["probabilities"][level] for level in LEVELS] for one in found["predictions"]]
    assert np.allclose(shares, expected, atol=1e-4)
    assert np.allclose(np.sum(shares, axis=1), 1)
    assert [one["level"] for one in found["predictions"]] == [LEVELS[place] for place in expected.argmax(axis=1)]
    assert np.allclose([one["probability"] for one in found["predictions"]], expected[:, 2], atol=1e-4)


def test_one_row_and_missing_inputs_are_predicted(client, known):
    row = known.row(3, "soil", "noise")
    (one,) = ask(client, row=row)["predictions"]
    given = known.rows.iloc[[3]].assign(soil=None, noise=np.nan).astype({"soil": "str"})
    assert one["probability"] == pytest.approx(predicted(YIELD, known.estimators["1"], given)[0, 2], abs=1e-4)


def test_a_number_is_predicted_with_its_interval(client, known):
    (one,) = ask(client, "harvest", row=known.row(3, "noise"))["predictions"]
    expected = predicted(HARVEST, known.estimators["harvest"], known.rows.iloc[[3]])[0, 0]
    assert one["value"] == pytest.approx(expected, rel=1e-4)
    assert (one["low"], one["high"]) == (
        pytest.approx(expected - 900, rel=1e-4),
        pytest.approx(expected + 900, rel=1e-4),
    )


def test_ids_are_filled_from_the_online_table_and_unknown_ones_are_said_so(client, known):
    found = ask(client, ids=["field 0", "nowhere", {"field": "field 20"}])["predictions"]
    expected = predicted(YIELD, known.estimators["1"], known.rows.set_index("field").loc[["field 0", "field 20"]])
    assert [found[0]["probability"], found[2]["probability"]] == pytest.approx(list(expected[:, 2]), abs=1e-4)
    assert "no such entity" in found[1]["problem"]
    row = known.rows.set_index("field").loc["field 20"]
    assert found[2].get("measured") in (row["yield_level"], None)


def test_reasons_are_those_of_batch_predictions(client, known):
    rows = known.rows.head(20)
    found = ask(client, rows=[known.row(number) for number in range(20)], reasons=True)
    typical = known.versions[0].onnx["typical"]
    background = rows.iloc[[0]].assign(**{name: [value] for name, value in typical.items()})
    background = background.astype({"soil": "str", "irrigated": "boolean"})
    table = predictions(YIELD, known.versions[0], known.estimators["1"], rows, background)
    for one, text in zip(found["predictions"], table["reasons"], strict=True):
        expected = json.loads(text)
        assert [said["input"] for said in one["reasons"]] == [said["input"] for said in expected]
        assert [said["effect"] for said in one["reasons"]] == pytest.approx(
            [said["effect"] for said in expected], abs=2e-4
        )


def test_another_version_answers_on_request(client, known):
    found = ask(client, row=known.row(1), version="2")
    expected = predicted(YIELD, known.estimators["2"], known.rows.iloc[[1]])
    assert found["version"] == found["predictions"][0]["version"] == "2"
    assert found["predictions"][0]["probability"] == pytest.approx(expected[0, 2], abs=1e-4)
    assert "has no version '9'; it has: 2, 1" in ask(client, row=known.row(1), version="9", status=404)["detail"]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"rain_mm": "wet"}, {"input": "rain_mm", "expected": "a valid number", "found": "'wet'"}),
        ({"rain_mm": True}, {"input": "rain_mm", "expected": "a valid number", "found": "True"}),
        ({"snow": 1}, {"input": "snow", "expected": "an input of the model", "found": "1"}),
        ({"irrigated": 1}, {"input": "irrigated", "expected": "a valid boolean", "found": "1"}),
    ],
)
def test_a_row_that_the_schema_refuses_is_named_with_what_is_wrong(client, known, change, fault):
    found = ask(client, rows=[known.row(1), known.row(2) | change], status=409)
    assert found["errors"] == [{"row": 1, **fault}]


@pytest.mark.parametrize(
    "body",
    [
        "{}",
        "[]",
        "nonsense",
        '{"rows": []}',
        '{"row": {"rain_mm": NaN}}',
        '{"row": {"rain_mm": 1e999}}',
        '{"row": null}',
        '{"row": {}, "ids": ["a"]}',
        '{"row": {}, "version": "latest"}',
        '{"row": {}, "entity": {"colour": "red"}}',
        '{"rows": [{}], "entities": [{}, {}]}',
        '{"ids": ["a\\u0000b"]}',
        '{"ids": [{"colour": 1}]}',
        '{"ids": [99999999999999999999]}',
    ],
)
def test_a_request_that_cannot_be_meant_is_refused(client, body):
    answer = client.post("/models/fields/predict", content=body)
    assert answer.status_code in (409, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_who_may_not_predict_is_refused_and_a_model_not_declared_is_named(known, here):
    with running(here) as api:
        assert api("/api/v1/models/fields/predict", "POST", json={}).status_code == 401
        with api.to("viewer") as viewer:
            assert viewer.post("/models/fields/predict", json={"row": {}}).status_code == 403
        with api.to("analyst") as client:
            assert "there are: fields, harvest" in ask(client, "rivers", row={}, status=404)["detail"]


def test_the_champion_is_changed_at_once(client, known):
    deployments.promote(known.connection, known.versions[1], "1", CAUSE)
    deadline = time.monotonic() + 5
    while ask(client, row=known.row(1))["version"] != "2":
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_answers_are_logged_without_inputs(client, known):
    ask(client, ids=["field 0"])
    ask(client, rows=[known.row(1), known.row(2)])
    deadline = time.monotonic() + 5
    query = (
        "SELECT model, version, entity, output ->> 'level', milliseconds, principal FROM registry.answers ORDER BY id"
    )
    while len(rows := known.connection.execute(query).fetchall()) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    season = known.rows.set_index("field").loc["field 0"]["season"]
    assert [row[2] for row in rows] == [["field 0", f"{season:%Y-%m-%d}"], None, None]
    assert all(row[3] in LEVELS and row[4] > 0 and row[5].startswith("key:") for row in rows)


def test_under_load_a_changed_champion_costs_no_request_and_no_answer_is_of_two_versions(known, here):
    row = known.row(1)
    expected = {name: predicted(YIELD, known.estimators[name], known.rows.iloc[[1]])[0, 2] for name in ("1", "2")}
    found, stopping = [], threading.Event()

    def hammer(api):
        with api.to("analyst") as client:
            while not stopping.is_set():
                answer = client.post("/models/fields/predict", json={"rows": [row] * 3})
                found.append((answer.status_code, answer.json()))

    with running(here) as api, ThreadPoolExecutor(6) as threads:
        working = [threads.submit(hammer, api) for _ in range(6)]
        for number in range(10):
            deployments.roll_back(known.connection, known.versions[(number + 1) % 2], CAUSE)
            time.sleep(0.2)
        stopping.set()
        assert not any(one.result() for one in working)
    assert {status for status, _ in found} == {200}
    assert {answer["version"] for _, answer in found} == {"1", "2"}
    for _, answer in found:
        assert {one["version"] for one in answer["predictions"]} == {answer["version"]}
        assert [one["probability"] for one in answer["predictions"]] == pytest.approx(
            [expected[answer["version"]]] * 3, abs=1e-4
        )


def test_requests_that_wait_together_are_one_run(known, here):
    with running(here) as api:
        runs, key = [], api.key("analyst")
        batch = api.app.state.predicting.loaded.models["fields"].champion.batch
        batch._observe = lambda rows: runs.append(rows) or time.sleep(0.05)

        async def at_once():
            headers = {"Authorization": f"Bearer {key}"}
            async with httpx.AsyncClient(base_url=api.url, headers=headers, timeout=30) as client:
                path = "/api/v1/models/fields/predict"
                bodies = [{"row": known.row(number)} for number in range(40)]
                return await asyncio.gather(*(client.post(path, json=body) for body in bodies))

        found = [answer.json()["predictions"][0]["probability"] for answer in asyncio.run(at_once())]
    expected = predicted(YIELD, known.estimators["1"], known.rows.head(40))[:, 2]
    assert np.allclose(found, expected, atol=1e-4)
    assert sum(runs) == 40
    assert len(runs) < 25


def test_a_request_of_many_rows_is_answered_whole(client, known):
    found = ask(client, rows=[known.row(number % 300) for number in range(2_000)], reasons=True)["predictions"]
    expected = predicted(YIELD, known.estimators["1"], known.rows)[:, 2]
    assert np.allclose([one["probability"] for one in found], np.resize(expected, 2_000), atol=1e-4)
    assert all(one["reasons"] for one in found[:5])


def test_a_champion_without_an_export_is_answered_for_by_the_one_before_which_says_so(known, here):
    _, made = candidate(YIELD, 3, 3, body=None, reason="no converter")
    third = register(known.connection, known.store, made)
    deployments.promote(known.connection, third, "1", CAUSE)
    with running(here) as api, api.to("analyst") as client:
        found = ask(client, row=known.row(1))
        assert found["version"] == "1"
        assert "version 3 has no ONNX export: no converter" in found["instead_of"]
        assert "no ONNX export" in ask(client, row=known.row(1), version="3", status=409)["detail"]


@pytest.mark.parametrize("fault", ["lost", "tampered with"])
def test_where_no_export_can_be_used_the_answer_says_why_and_what_to_do(known, here, fault):
    key = known.versions[0].onnx["key"]
    known.store.delete(key) if fault == "lost" else known.store.put(key, known.store.read(key) + b" ")
    with running(here) as api, api.to("analyst") as client:
        said = ask(client, row=known.row(1), status=409)["detail"]
    assert key in said
    assert "promote a version that has an export" in said


def test_versions_exported_before_typical_values_were_kept_have_no_reasons_but_a_note(known, here):
    _, made = candidate(YIELD, 3, 3, typical={})
    deployments.promote(known.connection, register(known.connection, known.store, made), "1", CAUSE)
    with running(here) as api, api.to("analyst") as client:
        found = ask(client, row=known.row(1), reasons=True)
    assert found["predictions"][0].get("reasons") is None
    assert "exported before typical values were kept" in found["note"]


def test_the_level_named_is_the_one_most_above_its_share(known, here):
    declare(known.connection, task=replace(YIELD.task, common=(0.6, 0.3, 0.1)))
    with running(here) as api, api.to("analyst") as client:
        found = ask(client, rows=[known.row(number) for number in range(100)])["predictions"]
    shares = predicted(YIELD, known.estimators["1"], known.rows.head(100)) / np.array([0.6, 0.3, 0.1])
    assert [one["level"] for one in found] == [LEVELS[place] for place in shares.argmax(axis=1)]


def test_values_of_personal_columns_that_the_request_did_not_bring_are_not_shown(known, here):
    declare(known.connection)
    with running(here) as api, api.to("analyst") as client, api.to("engineer") as engineer:
        api.app.state.predicting.loaded.personal = frozenset({"rain_mm", "soil", "irrigated", "noise"})
        masked = ask(client, ids=["field 0"], reasons=True)["predictions"][0]["reasons"]
        shown = ask(engineer, ids=["field 0"], reasons=True)["predictions"][0]["reasons"]
        own = ask(client, row=known.row(0), reasons=True)["predictions"][0]["reasons"]
    assert [one["value"] for one in masked] == [None] * len(masked)
    assert [one["effect"] for one in masked] == [one["effect"] for one in shown]
    assert all(one["value"] is not None for one in shown + own)
