"""What dbt carries out is known by its own events: each node, how long it took, how it ended."""

import json

import pytest

from lastmile.orchestration.dbt.project import project_folder
from lastmile.orchestration.dbt.traced import record_node
from lastmile.telemetry.spans import listen, mute
from lastmile.warehouse.dbt.in_process import InProcess


@pytest.fixture
def heard():
    """Spans by name, each with its attributes and seconds."""
    spans = []

    class Heard:
        def started(self, name, attributes):
            return None

        def ended(self, state, name, attributes, seconds, error):
            spans.append((name, attributes, seconds))

    listener = Heard()
    listen(listener)
    yield spans
    mute(listener)


def test_each_node_is_a_span_with_its_time_and_what_became_of_it(installation, contracts, tmp_path, heard):
    quietly = ("--log-level-file", "none", "--no-write-json")
    one = InProcess([*quietly, "build", "--select", "country_names"], project_folder(contracts), tmp_path)
    for line in one.stdout:
        record_node(json.loads(line))
    assert one.wait() == 0
    ((attributes, seconds),) = [(attributes, seconds) for name, attributes, seconds in heard if name == "dbt.seed"]
    assert (attributes["model"], attributes["status"]) == ("country_names", "success")
    assert 0 < seconds < 60
    assert attributes["began"] > 1_700_000_000
    assert {name for name, *_ in heard} <= {"dbt.seed", "dbt.test"}


def test_a_test_that_fails_is_a_span_with_how_many_rows_fail_it(heard):
    info = {"name": "LogTestResult", "ts": "2026-03-01T10:00:00.5Z"}
    node = {"node_name": "one_row_per", "resource_type": "test", "node_status": "fail"}
    record_node({"info": info, "data": {"node_info": node, "execution_time": 0.5, "status": "fail", "num_failures": 3}})
    ((name, attributes, seconds),) = heard
    assert (name, seconds, attributes["problem"]) == ("dbt.test", 0.5, "3 rows fail it")
