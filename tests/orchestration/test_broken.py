"""The code location loads without what cannot be part of it, and shows in its place what is wrong."""

import time

import dagster as dg
import pytest
from visits import VISITS

from lastmile.contracts.broken import Broken
from lastmile.orchestration.assembly import Part, assembled
from lastmile.orchestration.dagster_compat import code_server
from lastmile.orchestration.drops.assets import cleaned_assets, raw_asset
from lastmile.orchestration.placeholders import placeholders
from lastmile.orchestration.sensors import landing_sensor
from lastmile.orchestration.unrouted import UNROUTED


def asset(name, **more):
    @dg.asset(name=name, **more)
    def made() -> None: ...

    return [made]


def part(name, make):
    return Part("model", f"assets/models/{name}.py", make)


def raising():
    raise TypeError("names nothing")


GOOD = [part("good", lambda: asset("good")), part("better", lambda: asset("better", deps=["good"]))]
WRONG = {
    "raises": ([part("wrong", raising)], "TypeError: names nothing"),
    "owner": ([part("wrong", lambda: asset("x", owners=["nobody"]))], "DagsterInvalidDefinitionError"),
    "tag": ([part("wrong", lambda: asset("x", tags={"a b": "c"}))], "DagsterInvalidDefinitionError"),
    "twice": ([part("wrong", lambda: asset("good"))], "another declaration makes good already"),
    "circle": (
        [part("first", lambda: asset("one", deps=["two"])), part("wrong", lambda: asset("two", deps=["one"]))],
        "Circular",
    ),
    "resource": ([part("wrong", lambda: asset("x", required_resource_keys={"nowhere"}))], "nowhere"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_declaration_that_cannot_be_part_of_the_graph_costs_itself_alone(wrong):
    parts, said = WRONG[wrong]
    definitions, broken = assembled(dg.Definitions(), [*GOOD, *parts])
    names = {key.path[-1] for key in definitions.resolve_asset_graph().get_all_asset_keys()}
    assert {"good", "better"} <= names
    assert [one.file for one in broken] == ["assets/models/wrong.py"]
    assert said in broken[0].why


def test_declarations_that_can_all_be_part_of_it_are():
    definitions, broken = assembled(dg.Definitions(), GOOD)
    assert broken == []
    assert len(definitions.resolve_asset_graph().get_all_asset_keys()) == 2


BROKEN = [Broken("contract", "assets/field/contracts/visits.py", "line 3: ValueError: no", "Traceback ...")]


def test_an_asset_stands_in_its_place_with_the_traceback_and_a_check():
    definitions = placeholders(BROKEN)
    dg.Definitions.validate_loadable(definitions)
    key = dg.AssetKey(["broken", "assets_field_contracts_visits_py"])
    node = definitions.resolve_asset_graph().get(key)
    assert "line 3: ValueError: no" in node.description
    assert "Traceback ..." in node.description
    (check,) = definitions.resolve_asset_graph().asset_check_keys
    assert (check.asset_key, check.name) == (key, "can_be_used")


@pytest.fixture
def tick(visits_platform, instance):
    assets = [raw_asset(VISITS), cleaned_assets(VISITS)]
    sensor = landing_sensor(dg.AssetSelection.assets(*assets), 10, BROKEN)

    def tick():
        resources = {"platform": visits_platform}
        definitions = dg.Definitions(assets=assets, sensors=[sensor], resources=resources)
        with dg.build_sensor_context(instance=instance, definitions=definitions, resources=resources) as context:
            return sensor.evaluate_tick(context).run_requests or []

    return tick


def verdicts(instance, key):
    kind = dg.DagsterEventType.ASSET_CHECK_EVALUATION
    records = instance.get_event_records(dg.EventRecordsFilter(kind))
    found = [record.event_log_entry.dagster_event.event_specific_data for record in records]
    return [one for one in found if one.asset_key == key]


def test_the_first_tick_reports_what_is_broken_and_only_the_first(tick, instance):
    tick()
    tick()
    (verdict,) = verdicts(instance, dg.AssetKey(["broken", "assets_field_contracts_visits_py"]))
    assert not verdict.passed
    assert verdict.description == "contract assets/field/contracts/visits.py is left out: line 3: ValueError: no"


def test_misrouted_files_are_warned_of_when_they_change(tick, instance, store):
    tick()
    store.put("landing/visit/2020/a.csv", b"x")
    tick()
    tick()
    store.delete("landing/visit/2020/a.csv")
    tick()
    newest_first = verdicts(instance, UNROUTED)
    assert [verdict.passed for verdict in newest_first] == [True, False, True]
    warned = newest_first[1]
    assert warned.severity == dg.AssetCheckSeverity.WARN
    assert warned.description.startswith("1 fit no contract, such as landing/visit/2020/a.csv: no contract for dataset")


def test_a_dataset_declared_since_the_code_was_loaded_fails_no_tick(tick, put, store, visits_platform, monkeypatch):
    from dataclasses import replace

    both = {"visits": VISITS, "later": replace(VISITS, name="later")}
    monkeypatch.setattr(type(visits_platform), "contracts", lambda platform: both)
    put("a.csv", "v1,3,2,1,done")
    store.put("landing/later/2020/a.csv", b"visit\n1\n")
    (request,) = tick()
    assert {key.path[-1] for key in request.asset_selection} == {"visits"}


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("x = 1\ndef half(:\n", ("location.py", "line 2", "SyntaxError")),
        ("import nowhere_at_all\n", ("location.py", "line 1", "No module named 'nowhere_at_all'")),
        ("import dagster as dg\ndefs = dg.Definitions()\n", ()),
    ],
)
def test_a_code_server_tells_why_its_code_does_not_load_with_the_line(tmp_path, code, said):
    import subprocess
    import sys

    from lastmile.embedded.processes import free_port

    (tmp_path / "location.py").write_text(code)
    port = free_port()
    command = [sys.executable, "-m", "lastmile.orchestration.code_server", str(port)]
    server = subprocess.Popen([*command, "-f", str(tmp_path / "location.py")], stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and not answers(port):
            time.sleep(0.5)
        found = code_server.load_error("127.0.0.1", port)
    finally:
        server.terminate()
        server.wait(60)
    assert (found is None) == (said == ())
    assert all(part in str(found) for part in said)


def answers(port):
    import socket

    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0
