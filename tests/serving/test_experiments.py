"""Experiments over HTTP: started and ended as by the commands, and requests are answered as they assign."""

import importlib
import time
from pathlib import Path

import orjson
import pytest
from fields import YIELD
from learned import declare, learned
from serving.conftest import running

from lastmile.contracts.broken import Declarations
from lastmile.learning.declarations.loading import Declared
from lastmile.learning.experiments.assignment import assigned
from lastmile.learning.experiments.experiment import named
from lastmile.serving.engine import Engine, experimenting

NEW = {"name": "learned", "model": "fields", "treatments": ["2"], "size": 200, "why": "more rows"}


@pytest.fixture
def known(site, here, monkeypatch):
    found = learned(site.connection, site.store)
    declare(site.connection)
    declared = Declarations()
    declared["fields"] = Declared(YIELD, "farming", Path(__file__), "c")
    monkeypatch.setattr(experimenting, "load_models", lambda assets: declared)

    def call(engine, function, **arguments):
        """In this process: the declarations of the tests are in no project."""
        module, _, name = function.partition(":")
        if "championing" in function:
            return None
        found = getattr(importlib.import_module(module), name)(**orjson.loads(orjson.dumps(arguments)))
        return orjson.loads(orjson.dumps(found, default=str))

    monkeypatch.setattr(Engine, "call", call)
    return found


@pytest.fixture
def api(known, here):
    with running(here) as api:
        yield api


@pytest.fixture
def client(api):
    with api.to("engineer") as client:
        yield client


def posted(client, path, status=200, **body):
    answer = client.post(path, json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


def begun(client, **changes):
    """A running experiment that the process knows of."""
    posted(client, "/experiments", 201, **NEW | changes)
    until(lambda: predicted(client, ids=["field 0"])["experiment"] == "learned")


def until(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def predicted(client, **body):
    return posted(client, "/models/fields/predict", **body)


def exposures(known):
    query = "SELECT entity[1], version, share, predictions FROM registry.exposures ORDER BY id"
    return known.connection.execute(query).fetchall()


def test_an_experiment_is_started_listed_ramped_stopped_and_in_the_audit_log(known, client):
    started = posted(client, "/experiments", 201, **NEW, mode="split", share=0.2)
    assert (started["control"], started["share"], started["state"]) == ("1", 0.2, "running")
    assert started["basis"] == "200 rows"
    assert [one["name"] for one in client.get("/experiments?model=fields").json()] == ["learned"]
    assert posted(client, "/experiments/learned/ramp", share=0.5, why="fine so far")["share"] == 0.5
    assert "one at a time" in posted(client, "/experiments", 409, **NEW | {"name": "other"})["detail"]
    assert posted(client, "/experiments/learned/stop", why="called off")["state"] == "stopped"
    assert "is stopped" in posted(client, "/experiments/learned/stop", 409, why="again")["detail"]
    events = client.get("/experiments/learned").json()["events"]
    assert [event["event"] for event in events] == ["started", "share changed", "stopped"]
    actions = known.connection.execute(
        "SELECT action FROM access.audit WHERE subject = 'learned' ORDER BY id"
    ).fetchall()
    assert [action for (action,) in actions] == ["start experiment", "ramp experiment to 0.5", "stop experiment"]
    assert "there are: learned" in client.get("/experiments/nothing").json()["detail"]


def test_a_treatment_decided_for_is_promoted_and_answers(known, client):
    begun(client)
    report = client.get("/experiments/learned/report").json()
    assert (report["trusted"], report["verdict"][:11]) == (True, "Not decided")
    assert "<html" in client.get("/experiments/learned/report?format=html").text
    decided = posted(client, "/experiments/learned/decide", version="2", why="better in the north")
    assert (decided["decision"], decided["verdict"]) == ("2", report["verdict"])
    until(lambda: predicted(client, ids=["field 0"])["version"] == "2")


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"size": None}, 422),
        ({"detect": 0.1}, 422),
        ({"share": 0.5}, 409),
        ({"unit": ["colour"]}, 409),
        ({"metric": "beauty"}, 409),
        ({"treatments": ["1"]}, 409),
    ],
)
def test_a_plan_that_cannot_be_meant_is_refused(client, change, status):
    assert posted(client, "/experiments", status, **NEW | change)["detail"]
    assert client.get("/experiments").json() == []


def test_who_may_not_deploy_changes_no_experiment(api):
    with api.to("analyst") as analyst:
        assert analyst.get("/experiments").status_code == 200
        for path, body in (("", NEW), ("/learned/ramp", {"why": "x", "share": 0.5}), ("/learned/stop", {"why": "x"})):
            posted(analyst, f"/experiments{path}", 403, **body)


def test_a_split_answers_each_unit_by_its_version_always_and_logs_it_once(known, client):
    begun(client, mode="split", share=0.5)
    some = "(SELECT field FROM online.fields WHERE yield_level IS {} NULL ORDER BY field LIMIT {})"
    both = f"{some.format('', 30)} UNION ALL {some.format('NOT', 2)}"
    ids = [one for (one,) in known.connection.execute(both).fetchall()]
    first = predicted(client, ids=ids)["predictions"]
    plan = named(known.connection, "learned")
    expected = [assigned(plan.salt, one, 0.5, "1", ["2"]) for one in ids]
    unknown = [place for place, one in enumerate(first) if "measured" not in one]
    assert [first[place]["version"] for place in unknown] == [expected[place] for place in unknown]
    assert {one["version"] for one in first} == {"1", "2"}
    assert all((one.get("variant") == "treatment") == (one["version"] == "2") for one in first)
    until(lambda: len(exposures(known)) == len(unknown))
    posted(client, "/experiments/learned/ramp", share=0.99, why="fine")
    until(lambda: named(known.connection, "learned").share == 0.99)
    time.sleep(0.5)
    assert [one["version"] for one in predicted(client, ids=ids)["predictions"]] == [one["version"] for one in first]
    time.sleep(1)
    logged = exposures(known)
    assert {(entity, version) for entity, version, _, _ in logged} == {
        (ids[place], expected[place]) for place in unknown
    }
    assert len(logged) == len(unknown)
    assert all(share == 0.5 and list(numbers) == [version] for _, version, share, numbers in logged)


def test_a_unit_answered_by_another_process_keeps_its_version(known, client, here):
    begun(client, mode="split", share=0.01)
    plan = named(known.connection, "learned")
    one = next(
        f"field {number}" for number in range(10) if known.rows["field"].eq(f"field {number}").any()
        and assigned(plan.salt, f"field {number}", 0.01, "1", ["2"]) == "1"
        and "measured" not in predicted(client, ids=[f"field {number}"], experiment=False)["predictions"][0]
        and f"field {number}" != "field 0"
    )  # fmt: skip
    known.connection.execute(
        "INSERT INTO registry.exposures (experiment, entity, unit, version, share, predictions)"
        " VALUES ('learned', %s, %s, '2', 0.01, '{}')",
        [[one, "2015-01-01"], one],
    )
    assert predicted(client, ids=[one])["predictions"][0]["version"] == "2"


def test_in_shadow_the_control_answers_and_what_all_versions_predict_is_logged(known, client):
    begun(client)
    given = [known.row(1), known.row(2), known.row(3)]
    abouts = [{"field": "new 1", "season": "2021-01-01", "village": "v"}, {"field": "new 2"}, None]
    found = predicted(client, rows=given, entities=abouts)["predictions"]
    assert [one["version"] for one in found] == ["1", "1", "1"]
    assert [one.get("variant") for one in found] == ["control", None, None]
    until(lambda: any(entity == "new 1" for entity, *_ in exposures(known)))
    ((_, version, share, numbers),) = [one for one in exposures(known) if one[0] == "new 1"]
    other = predicted(client, row=given[0], version="2")["predictions"][0]["probabilities"]
    assert (version, share, sorted(numbers)) == ("1", None, ["1", "2"])
    assert numbers["2"] == pytest.approx(list(other.values()), abs=1e-5)
    assert not any(entity == "new 2" for entity, *_ in exposures(known))


def test_a_request_may_stay_out_and_one_for_a_version_does(known, client):
    begun(client, mode="split", share=0.99)
    assert predicted(client, ids=["field 1"], experiment=False)["experiment"] is None
    assert predicted(client, ids=["field 1"], version="1")["predictions"][0]["version"] == "1"
