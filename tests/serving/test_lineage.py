"""Where rows and assets come from, over HTTP: a prediction back to version, feature row, drop and line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastmile.catalogue.describing import catalogue
from lastmile.catalogue.entries import Catalogue, FeatureSetEntry, ModelEntry, Relation
from lastmile.catalogue.published import publish
from lastmile.errors import Unreachable
from lastmile.serving.engine.asset_graph import downstream, reached

NODES = {
    key: {
        "upstream": above, "group": "g", "kinds": ["postgres"], "owners": [], "description": None, "partitioned": True
    }
    for key, above in {
        "raw/visits": [], "raw/others": [], "cleaned/visits": ["raw/visits"],
        "marts/visits_year": ["cleaned/visits"], "features/visits": ["marts/visits_year"],
    }.items()
}  # fmt: skip


MADE = """
CREATE SCHEMA IF NOT EXISTS marts;
CREATE SCHEMA IF NOT EXISTS features;
CREATE SCHEMA IF NOT EXISTS predictions;
CREATE TABLE marts.visits_year AS SELECT visit, _partition_start AS partition_start, hours FROM raw.visits;
CREATE TABLE features.visits AS SELECT visit, partition_start, hours FROM marts.visits_year;
CREATE TABLE predictions.outcome AS
    SELECT visit, partition_start, 'done' AS outcome, 'outcome' AS model_name, '1' AS model_version
    FROM features.visits;
INSERT INTO registry.model_versions
    (name, version, artifact_key, sha256, feature_set, features, data_versions, scores, run_id)
VALUES ('outcome', '1', 'k', 'abc', 'visits', '[]', '{"rows": "r"}', '{}', 'run-2');
"""


class Graph:
    """The engine, as far as the graph of assets goes."""

    def __init__(self):
        self.calls, self.is_away = 0, False

    def call(self, _):
        self.calls += 1
        if self.is_away:
            raise Unreachable("Dagster's code server does not answer")
        return NODES

    def close(self):
        pass


@pytest.fixture
def graph(here):
    here._engines["dagster"] = Graph()
    return here._engines["dagster"]


@pytest.fixture
def made(here, site, graph):
    """Two visits of a drop, and what a mart, a feature set and a model made of them; visits are personal."""
    site.put_rows("a.csv", "v1,1,1,1,done", "v2,2,2,1,absent")
    site.discover()
    site.take(run_id="run-1")
    datasets = catalogue([site.contract]).datasets
    columns = [one.model_copy(update={"personal": one.name == "visit"}) for one in datasets["visits"].columns]
    publish(
        site.connection,
        Catalogue(
            datasets={"visits": datasets["visits"].model_copy(update={"columns": columns})},
            relations={"marts.visits_year": Relation(name="visits_year", db_schema="marts", key=["visit"])},
            feature_sets={"visits": FeatureSetEntry(
                name="visits", description="", owner="x", entity=["visit"], group="visit", key=["visit"], newest_by=[],
                partition_column="partition_start", inputs=[], targets=["outcome"], datasets=["visits"],
                sources=["marts.visits_year"],
            )},
            models={"outcome": ModelEntry(
                name="outcome", description="", owner="x", users="", features="visits", target="outcome",
                kind="classification", inputs=[],
            )},
        ),
    )  # fmt: skip
    site.connection.execute(MADE)
    return site


def test_a_prediction_goes_back_to_its_version_its_feature_row_and_its_line(made, engineer):
    found = engineer.get("/lineage/rows/predictions/outcome", params={"key": "visit=v2"}).json()
    steps = {step["table"]: step for step in found["steps"]}
    assert [*steps] == ["predictions.outcome", "features.visits", "marts.visits_year", "raw.visits"]
    (loaded,) = steps["raw.visits"]["rows"]
    assert (loaded["visit"], loaded["_line"], loaded["_run_id"]) == ("v2", 3, "run-1")
    assert steps["raw.visits"]["by"] == "visit and partition"
    (drop,) = found["drops"]
    assert (drop["key"], drop["run"], len(drop["sha256"])) == ("landing/visits/2020/a.csv", "run-1", 64)
    assert drop["version"] == made.drops()[0]["version"]
    (version,) = found["versions"]
    assert (version["version"], version["run"], version["data_versions"]) == ("1", "run-2", {"rows": "r"})


def test_a_row_of_a_mart_is_followed_by_the_key_it_shares(made, engineer):
    found = engineer.get("/lineage/rows/marts/visits_year", params={"key": "visit=v1"}).json()
    assert [step["table"] for step in found["steps"]] == ["marts.visits_year", "raw.visits"]
    assert [row["_line"] for row in found["steps"][1]["rows"]] == [2]


def test_what_names_its_line_is_followed_by_that(made, engineer):
    made.connection.execute("ALTER TABLE marts.visits_year ADD drop_id bigint, ADD line_number bigint")
    made.connection.execute("UPDATE marts.visits_year SET drop_id = 1, line_number = 3")  # as if all came from there
    found = engineer.get("/lineage/rows/marts/visits_year", params={"key": "visit=v1"}).json()
    assert (found["steps"][1]["by"], found["steps"][1]["rows"][0]["visit"]) == ("drop and line", "v2")


def test_a_loaded_row_is_found_by_key_or_by_drop_and_line(made, engineer):
    for params in ({"key": "visit=v1"}, {"drop": 1, "line": 2}, {"key": ["visit=v1", "persons=1"]}):
        for layer in ("raw", "cleaned"):
            found = engineer.get(f"/lineage/rows/{layer}/visits", params=params).json()
            assert [row["visit"] for row in found["steps"][0]["rows"]] == ["v1"]
            assert found["drops"][0]["id"] == 1


def test_personal_values_are_masked_but_those_given(made, viewer):
    found = viewer.get("/lineage/rows/raw/visits", params={"drop": 1}).json()
    shown = [row["visit"] for row in found["steps"][0]["rows"]]
    assert all(one.startswith("p_") for one in shown)
    assert len({*shown}) == 2
    assert "_rescued" not in found["steps"][0]["rows"][0]
    given = viewer.get("/lineage/rows/predictions/outcome", params={"key": "visit=v1"}).json()
    assert {row["visit"] for step in given["steps"] for row in step["rows"]} == {"v1"}


@pytest.mark.parametrize(
    ("path", "params", "status", "said"),
    [
        ("raw/visits", {}, 409, "say which row"),
        ("raw/visits", {"key": "visit"}, 422, "expected String should match"),
        ("raw/visits", {"line": 2}, 409, "which with `drop`"),
        ("features/visits", {"drop": 2}, 409, "of another, say its key"),
        ("raw/visits", {"key": "nothing=1"}, 409, "has no column nothing"),
        ("raw/visits", {"key": "persons=many"}, 409, "not of its column's type"),
        ("raw/visits", {"key": "visit=' OR 1=1 --"}, 404, "no such row"),
        ("raw/visits", {"key": '" OR 1=1 --=x'}, 409, "has no column"),
        ("access/users", {"key": "name=x"}, 404, "there is no table users in access"),
        ("pg_catalog/pg_authid", {"key": "rolname=x"}, 404, "there is no table"),
        ("predictions/none", {"key": "visit=v1"}, 404, "there is no table none"),
    ],
)
def test_a_row_that_is_not_there_is_said(made, engineer, path, params, status, said):
    answer = engineer.get(f"/lineage/rows/{path}", params=params)
    assert (answer.status_code, said in answer.text) == (status, True), answer.text


def test_an_asset_shows_what_is_above_and_below_it(graph, viewer):
    found = viewer.get("/lineage/assets/marts/visits_year").json()
    assert [(one["asset"], one["distance"]) for one in found["upstream"]] == [("cleaned/visits", 1), ("raw/visits", 2)]
    assert [one["asset"] for one in found["downstream"]] == ["features/visits"]
    near = viewer.get("/lineage/assets/marts/visits_year", params={"depth": 1}).json()
    assert [one["asset"] for one in near["upstream"]] == ["cleaned/visits"]
    assert viewer.get("/lineage/assets/marts/none").status_code == 404


def test_the_graph_is_read_once_for_what_is_published_and_kept_while_dagster_is_away(graph, here, viewer, site):
    for _ in range(2):
        assert viewer.get("/lineage/assets/raw/visits").status_code == 200
    assert graph.calls == 1
    publish(site.connection, Catalogue())
    graph.is_away = True
    assert viewer.get("/lineage/assets/raw/visits").status_code == 200
    assert graph.calls == 2


def test_without_dagster_and_without_a_known_graph_it_is_unavailable(graph, viewer):
    graph.is_away = True
    answer = viewer.get("/lineage/assets/raw/visits")
    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)


EDGES = st.dictionaries(st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdef"), max_size=3))


@given(EDGES, st.integers(1, 6))
def test_what_is_above_one_has_it_below(edges, depth):
    nodes = {key: {"upstream": sorted({*above} - {key})} for key, above in edges.items()}
    up = {key: node["upstream"] for key, node in nodes.items()}
    for key in nodes:
        for above, distance in reached(up, key, depth).items():
            assert 1 <= distance <= depth
            assert reached(downstream(nodes), above, depth).get(key) == distance or above == key
