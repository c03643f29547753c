"""Models over HTTP: what is in use and how good it is, and changes of it, by the functions of the commands."""

import pytest
from fields import WINDOW_2020
from learned import declare, learned
from serving.conftest import running

from lastmile.learning.registry import deployments
from lastmile.serving.engine import Engine


@pytest.fixture
def known(site, here):
    found = learned(site.connection, site.store)
    declare(site.connection)
    return found


@pytest.fixture
def api(known, here, monkeypatch):
    calls = []

    def call(engine, function, **arguments):
        calls.append((function.rpartition(".")[2], arguments))
        return {"run": "abcdefgh", "id": "abcdefgh"}

    monkeypatch.setattr(Engine, "call", call)
    with running(here) as api:
        api.app.state.calls = calls
        yield api


@pytest.fixture
def engineer(api):
    with api.to("engineer") as client:
        yield client


def changed(client, path, status=200, **body):
    answer = client.post(f"/models/fields/{path}", json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


def test_models_are_listed_with_their_champion(engineer):
    found = {one["name"]: one for one in engineer.get("/models").json()}
    assert list(found) == ["fields", "harvest"]
    assert (found["fields"]["champion"]["version"], found["fields"]["newest"]) == ("1", "2")
    assert found["fields"]["scores"] == {"accuracy": 0.7}


def test_a_model_is_shown_with_declaration_versions_and_history(engineer):
    found = engineer.get("/models/fields").json()
    assert found["declaration"]["levels"] == ["high", "middle", "low"]
    assert [one["name"] for one in found["inputs"]] == ["soil", "rain_mm", "noise", "irrigated"]
    assert [(one["version"], one["in_use"], one["export"]) for one in found["versions"]] == [
        ("2", False, True),
        ("1", True, True),
    ]
    assert [event["event"] for event in found["history"]] == ["promoted", "registered", "registered"]
    assert "there are: fields, harvest" in engineer.get("/models/rivers").json()["detail"]


def test_a_version_says_what_made_it_and_all_that_was_found(engineer):
    found = engineer.get("/models/fields/versions/2").json()
    assert found["data_versions"]["recipe"] == "r2"
    assert found["evaluation"]["importance"]["rain_mm"] == 0.3
    assert engineer.get("/models/fields/versions/9").status_code == 404


def test_the_card_is_a_page_where_training_has_written_one(known, engineer):
    assert engineer.get("/models/fields?format=html").status_code == 404
    known.store.put("models/fields/1/card.html", b"<html>a card</html>")
    page = engineer.get("/models/fields?format=html")
    assert (page.text, page.headers["content-type"]) == ("<html>a card</html>", "text/html; charset=utf-8")
    assert "script" not in page.headers["content-security-policy"]


def test_a_version_is_promoted_rolled_back_held_and_released_with_who_and_why(known, api, engineer):
    assert changed(engineer, "promote", version="2", why="checked")["champion"] == "2"
    assert changed(engineer, "rollback", why="worse in the north")["champion"] == "1"
    assert "is held" in changed(engineer, "promote", 409, version="2", why="again")["detail"]
    assert "may be replaced" in changed(engineer, "release", why="over")["done"]
    assert "is held" in changed(engineer, "hold", why="campaign")["done"]
    assert deployments.deployment(known.connection, "fields").held_by.startswith("key:")
    actions = known.connection.execute(
        "SELECT action FROM access.audit WHERE subject = 'fields' ORDER BY id"
    ).fetchall()
    assert [action for (action,) in actions] == [
        "promote version 2",
        "roll back to the one before",
        "release champion",
        "hold champion",
    ]
    assert ("championing:announce", {"model": "fields"}) in api.app.state.calls


@pytest.mark.parametrize("body", [{}, {"why": " "}, {"why": "x", "version": "0"}, {"why": "x", "colour": "red"}])
def test_a_change_without_reason_or_with_what_is_no_version_is_refused(engineer, body):
    assert changed(engineer, "promote", 422, **{"version": "2", **body} if body != {"why": " "} else body)


def test_what_fails_is_not_in_the_audit_log(known, engineer):
    changed(engineer, "promote", 404, version="9", why="x")
    assert known.connection.execute("SELECT count(*) FROM access.audit WHERE subject = 'fields'").fetchone() == (0,)


def test_a_viewer_changes_nothing(api):
    with api.to("viewer") as viewer:
        assert viewer.get("/models").status_code == 200
        for path in ("promote", "rollback", "hold", "release", "train"):
            answer = viewer.post(f"/models/fields/{path}", json={"why": "x", "version": "2"})
            assert answer.status_code == 403


def test_a_training_is_a_run(api, engineer):
    assert changed(engineer, "train", 202, why="new villages")["run"] == "abcdefgh"
    ((function, arguments),) = [call for call in api.app.state.calls if "train" in call[0]]
    assert function == "launching:train"
    assert (arguments["model"], arguments["why"], arguments["who"][:4]) == ("fields", "new villages", "key:")


def test_performance_has_scores_monitoring_drift_and_answers(known, engineer):
    known.connection.execute(
        "INSERT INTO registry.monitoring (name, partition_start, model_version, rows, compared_with, new_labelled,"
        " drifted, performance_fell, metric, score) VALUES ('fields', %s, '1', 10, 20, 5, '{\"rain (0.3)\"}', false,"
        " 'accuracy', 0.6)",
        [WINDOW_2020[0]],
    )
    known.connection.execute(
        "INSERT INTO registry.answers (at, model, version, output, milliseconds, principal, request) SELECT now(),"
        " 'fields', '1', jsonb_build_object('level', CASE WHEN n < 3 THEN 'low' ELSE 'high' END), n, 'p', 'r'"
        " FROM generate_series(1, 10) AS n"
    )
    found = engineer.get("/models/fields/performance").json()
    assert found["versions"][1]["scores"] == {"accuracy": 0.7}
    assert [(one["score"], one["drifted"]) for one in found["monitoring"]] == [(0.6, ["rain (0.3)"])]
    ((answers),) = found["answers"]
    assert (answers["version"], answers["answers"], answers["levels"]) == ("1", 10, {"low": 2, "high": 8})
    assert 9 < answers["p95_milliseconds"] <= 10


def test_drift_and_predictions_are_metrics(known, api, engineer):
    known.connection.execute(
        "INSERT INTO registry.monitoring (name, partition_start, model_version, rows, compared_with, new_labelled,"
        " drifted, performance_fell) VALUES ('fields', %s, '1', 10, 20, 5, '{rain,soil}', true)",
        [WINDOW_2020[0]],
    )
    answer = engineer.post("/models/fields/predict", json={"rows": [known.row(1), known.row(2)]})
    assert answer.status_code == 200
    text = api("/metrics").text
    assert 'lastmile_model_drifted_inputs{model="fields"} 2.0' in text
    assert 'lastmile_model_performance_fell{model="fields"} 1.0' in text
    assert 'lastmile_predictions_total{model="fields",version="1"} 2.0' in text
    assert 'lastmile_model_loaded{model="fields",version="1"} 1.0' in text
    assert "lastmile_prediction_run_rows_sum 2.0" in text
