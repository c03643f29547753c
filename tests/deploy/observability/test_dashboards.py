"""The dashboards: what Grafana needs is in each file, and every metric named is documented."""

import re

import pytest
import yaml
from checkout import PROJECT
from deploy.observability.queries import DASHBOARDS, PLACE, dashboards, metrics, of_dashboards, of_rules

BOARDS = dashboards()
KINDS = {"stat", "timeseries", "table", "bargauge"}
WIDTH = 24
#: Prometheus' own.
GIVEN = {"up", "ALERTS"}


def test_there_is_one_for_each_concern():
    assert set(BOARDS) == {"overview", "intake", "streams", "runs", "api", "models", "database"}
    assert len({board["uid"] for board in BOARDS.values()}) == len(DASHBOARDS)


@pytest.mark.parametrize("name", BOARDS)
def test_each_has_what_grafana_needs(name):
    board = BOARDS[name]
    assert board["uid"] == f"lastmile-{name}"
    assert board["title"].startswith("Lastmile: ")
    assert board["schemaVersion"] >= 36
    assert {"from", "to"} == set(board["time"])
    for panel in board["panels"]:
        assert panel["type"] in KINDS
        assert panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["targets"]
        for target in panel["targets"]:
            assert target["expr"]
            assert target["datasource"] == panel["datasource"] == {"type": "prometheus", "uid": "lastmile"}
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


@pytest.mark.parametrize("name", BOARDS)
def test_panels_lie_next_to_one_another_and_none_covers_another(name):
    covered = set()
    for panel in BOARDS[name]["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= WIDTH
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & covered, panel["title"]
        covered |= cells


@pytest.mark.parametrize("name", BOARDS)
def test_a_query_uses_only_variables_that_the_dashboard_has(name):
    known = {variable["name"] for variable in BOARDS[name]["templating"]["list"]} | {"__rate_interval"}
    used = set(re.findall(r"\$(\w+)", " ".join(t["expr"] for p in BOARDS[name]["panels"] for t in p["targets"])))
    assert used <= known
    assert used >= known - {"__rate_interval"}


def test_what_is_provisioned_is_what_the_dashboards_read_from():
    (source,) = yaml.safe_load((PLACE / "grafana/provisioning/datasources/prometheus.yml").read_text())["datasources"]
    assert (source["uid"], source["type"]) == ("lastmile", "prometheus")
    (provider,) = yaml.safe_load((PLACE / "grafana/provisioning/dashboards/lastmile.yml").read_text())["providers"]
    assert provider["options"]["path"] == "/var/lib/grafana/dashboards"


def test_every_metric_that_is_read_is_documented():
    documented = set(re.findall(r"lastmile_\w+", (PROJECT / "docs" / "monitoring.md").read_text())) | GIVEN
    read = {name for _, query in (*of_dashboards(), *of_rules()) for name in metrics(query)}
    bare = {re.sub(r"_(bucket|sum|count)$", "", name) for name in read}
    assert len(bare) > 50
    assert bare - documented == set()
