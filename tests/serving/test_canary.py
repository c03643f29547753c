"""A personal value goes the whole way, and who may not see it finds it in no answer, file, error, metric or log."""

import itertools
import json
import logging
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from marts import read
from sending import ingested
from visits import Site

from lastmile.catalogue.describing import catalogue
from lastmile.catalogue.entries import Catalogue, FeatureSetEntry, Metric, ModelEntry, Relation, RelationColumn
from lastmile.catalogue.published import publish

#: In the key of good rows; in what is quarantined; in a mart and a document.
KEY, BAD, NAME = "canary-7f31-key", "canary-7f31-bad", "canary-7f31-name"
MARK = "canary-7f31"
MADE = """
CREATE SCHEMA IF NOT EXISTS marts;
CREATE SCHEMA IF NOT EXISTS features;
CREATE SCHEMA IF NOT EXISTS online;
CREATE SCHEMA IF NOT EXISTS predictions;
CREATE TABLE marts.fct_visit AS
    SELECT visit, %s || visit AS name, _partition_start AS partition_start, hours FROM raw.visits;
CREATE TABLE features.visits AS SELECT visit, partition_start, hours FROM marts.fct_visit;
CREATE TABLE online.visits AS SELECT * FROM features.visits;
CREATE TABLE predictions.outcome AS
    SELECT visit, partition_start, 'done' AS outcome, 'outcome' AS model_name, '1' AS model_version
    FROM features.visits;
INSERT INTO registry.model_versions
    (name, version, artifact_key, sha256, feature_set, features, data_versions, scores, run_id)
VALUES ('outcome', '1', 'k', 'abc', 'visits', '[]', '{"rows": "r"}', '{}', 'run-2');
"""
TABLES = [
    *("raw/visits", "cleaned/visits", "marts/fct_visit", "features/visits", "online/visits", "predictions/outcome")
]
FORMATS = ["json", "ndjson", "csv", "parquet", "arrow"]
STATEMENTS = [
    "SELECT * FROM raw.visits",
    "SELECT v FROM raw.visits v",
    "SELECT visit FROM raw.visits",
    "SELECT row_to_json(v) FROM raw.visits v",
    "SELECT string_agg(name, ',') FROM marts.fct_visit",
    "SELECT v::text FROM marts.fct_visit v",
    "SELECT to_jsonb(v) -> 'name' FROM marts.fct_visit v",
    "SELECT name::int FROM marts.fct_visit",
    "SELECT hours FROM marts.fct_visit WHERE name::int = 1",
    "SELECT (SELECT max(visit) FROM features.visits)",
    "SELECT max(v.*) FROM online.visits v",
    "WITH w AS (TABLE predictions.outcome) SELECT * FROM w",
    "SELECT * FROM raw.visits NATURAL JOIN marts.fct_visit",
    "SELECT most_common_vals FROM pg_stats",
    "SELECT raw FROM quarantine.rows",
    "SELECT query FROM pg_stat_activity",
]


def declared(site: Site) -> Catalogue:
    known = catalogue([site.contract]).datasets["visits"]
    columns = [one.model_copy(update={"personal": one.name in ("visit", "outcome")}) for one in known.columns]
    features = FeatureSetEntry(
        name="visits",
        description="",
        owner="x",
        entity=["visit"],
        group="visit",
        key=["visit"],
        newest_by=[],
        partition_column="partition_start",
        inputs=[],
        targets=["outcome"],
        datasets=["visits"],
        sources=["marts.fct_visit"],
    )
    model = ModelEntry(
        name="outcome",
        description="",
        owner="x",
        users="",
        features="visits",
        target="outcome",
        kind="classification",
        inputs=[],
    )
    mart = Relation(
        name="fct_visit",
        db_schema="marts",
        key=["visit"],
        columns=[RelationColumn(name="visit", personal=True), RelationColumn(name="name", personal=True)],
        metrics=[Metric(name="longest", agg="max", expr="length(name)", time="partition_start")],
    )
    return Catalogue(
        datasets={"visits": known.model_copy(update={"columns": columns})},
        relations={"marts.fct_visit": mart},
        feature_sets={"visits": features},
        models={"outcome": model},
    )


class Known(dict[str, Any]):
    """What was made: jobs, drops, documents."""


@pytest.fixture
def known(site: Site, api: Any, here: Any) -> Known:
    publish(site.connection, declared(site))
    here._looked_at = 0.0
    engineer = api.to("engineer")
    rows = [
        {"visit": KEY, "persons": 1, "hours": 2, "travel_hours": 1, "outcome": "done", "_id": str(uuid4())},
        {"visit": BAD, "persons": 99, "hours": 1, "travel_hours": 1, "outcome": BAD, "_id": str(uuid4())},
        {"visit": f"{KEY}-2", "persons": 1, "hours": 1, "travel_hours": 1, "outcome": "done", "_id": str(uuid4())},
    ]
    job = engineer.post("/datasets/visits/records?partition=2020", json=rows).json()["job"]
    file = f"visit,persons,hours,travel_hours,outcome,phone\n{KEY}-3,1,1,1,done,{NAME}\n{BAD},99,1,9,{BAD},{NAME}\n"
    file += f"{KEY}-4,1,1,1,done,\n"
    file_job = engineer.post("/datasets/visits/files?partition=2020&name=a.csv", content=file).json()["job"]
    ingested(site)
    site.put("whole.csv", f"visit,persons\n{BAD},{BAD}\n{BAD},x{BAD}\n")
    site.discover()
    site.take()
    site.connection.execute(MADE.replace("%s", f"'{NAME}'"))
    document = {"id": "d1", "body": {"visit": KEY, "deep": [{"name": NAME}], "size": 3}}
    assert engineer.post("/documents/plots", json=document).status_code == 201
    return Known(jobs=[job, file_job], drops=[drop["id"] for drop in site.drops()])


def paths(known: Known) -> Iterator[str]:
    """What can be read without a value of one's own."""
    for table, form in itertools.product(TABLES, FORMATS):
        yield f"/data/{table}?format={form}"
        yield f"/data/{table}?format={form}&columns=visit"
    for table in TABLES:
        layer, name = table.split("/")
        yield f"/data/{table}?limit=1"
        yield f"/data/{table}?where=visit.like.canary"
        yield f"/data/{table}?where=visit.gt.b&where=hours.eq.x"
        yield f"/data/{table}?sort=visit"
        yield f"/data/{table}?columns=_rescued"
        yield f"/data/{table}/statistics"
        for measure, more in itertools.product(
            ("count", "max:visit", "min:name", "distinct:visit", "sum:visit"), ("", "&by=visit", "&by=name")
        ):
            yield f"/aggregations?layer={layer}&table={name}&measure={measure}{more}"
        yield f"/lineage/rows/{layer}/{name}?key=hours=2"
        yield f"/lineage/rows/{layer}/{name}?key=partition_start=2020-01-01"
    for job in known["jobs"]:
        yield from (f"/jobs/{job}", f"/jobs/{job}/events")
    for drop in known["drops"]:
        yield from (f"/lineage/rows/raw/visits?drop={drop}&line={line}" for line in (1, 2, 3))
        yield f"/quarantine/rows?drop={drop}"
    for metric in ("longest", "rows_loaded"):
        yield from (f"/metrics/{metric}{more}" for more in ("", "?by=name", "?by=visit"))
    yield from (
        "/jobs", "/data", "/datasets", "/datasets/visits", "/features", "/features/visits", "/relations",
        "/relations/marts/fct_visit", "/metrics", "/models", "/models/outcome", "/models/outcome/versions/1",
        "/models/outcome/performance", "/models/outcome?format=html", "/experiments", "/forms", "/auth/me",
        "/quality/rules", "/quality/datasets/visits", "/quality/checks", "/quarantine", "/quarantine/rows",
        "/quarantine/drops", "/quarantine?discarded=true", "/quarantine/rows?column=outcome",
        "/documents", "/documents/plots", "/documents/plots/d1", "/documents/plots?where=visit.like.c",
        "/documents/plots?where=deep.name.is.notnull", "/documents/plots?where=size.eq.3", "/users", "/keys", "/audit",
    )  # fmt: skip


def shown(answer: httpx.Response) -> str:
    """All that is in it, its headers too; of a file its values."""
    is_compressed = answer.is_success and "apache" in answer.headers.get("content-type", "")
    body = read(answer).write_json() if is_compressed else answer.text
    return f"{dict(answer.headers)} {body}"


def everything(client: httpx.Client, url: str, known: Known) -> dict[str, str]:
    found = {path: shown(client.get(path)) for path in paths(known)}
    found |= {path: shown(client.get(f"{url}{path}")) for path in ("/metrics", "/status", "/drops", "/openapi.json")}
    found |= {f"/drops/{drop}": shown(client.get(f"{url}/drops/{drop}")) for drop in known["drops"]}
    for statement, form in itertools.product(STATEMENTS, ("json", "csv")):
        found[f"{statement} {form}"] = shown(client.post(f"/data/query?format={form}", json={"sql": statement}))
    return found


@pytest.mark.parametrize("role", ["viewer", "analyst"])
def test_who_may_not_see_it_finds_it_nowhere(known: Known, api: Any, role: Any) -> None:
    with api.to(role) as client:
        found = everything(client, api.url, known)
        held = client.get("/data/cleaned/visits").json()["rows"]
    assert {path: text for path, text in found.items() if MARK in text} == {}
    assert len(held) == 4
    assert len({row["visit"] for row in held}) == 4


def test_who_may_see_it_finds_it_where_it_is(known: Known, api: Any) -> None:
    with api.to("engineer") as client:
        found = everything(client, api.url, known)
    seen = {path for path, text in found.items() if MARK in text}
    data = {f"/data/{table}?format={form}" for table, form in itertools.product(TABLES[1:], FORMATS)}
    others = {"/documents/plots", "/documents/plots/d1", "/quarantine/rows", f"/jobs/{known['jobs'][0]}"}
    assert seen >= data | others | {f"{STATEMENTS[0]} json", f"{STATEMENTS[4]} csv"}


def test_a_device_is_shown_what_its_records_break_without_their_values(known: Known, api: Any, site: Site) -> None:
    with api.to("device") as device:
        row = {"visit": KEY, "persons": 1, "hours": 1, "travel_hours": 1, "outcome": BAD}
        job = device.post("/datasets/visits/records?partition=2020", json=row).json()["job"]
        ingested(site)
        answer = device.get(f"/jobs/{job}")
    (record,) = answer.json()["found"]
    assert [one["column"] for one in record["violations"]] == ["outcome"]
    assert MARK not in answer.text


def test_the_audit_log_and_the_process_log_name_no_value(
    known: Known, api: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with api.to("engineer") as engineer:
        everything(engineer, api.url, known)
        engineer.patch("/documents/plots/d1", json={"name": f"{NAME}-2"})
        engineer.post("/quarantine/release", json={"dataset": "visits", "why": "looked at"})
        engineer.post("/models/outcome/predict", json={"ids": [KEY]})
        engineer.post("/data/query", json={"sql": "SELECT $1::int", "parameters": [KEY]})
    log = [one.getMessage() for one in caplog.records if not one.name.startswith(("http", "websockets"))]
    audited = api.to("admin").get("/audit?limit=1000").json()
    assert {"submit records", "create document", "release quarantined"} <= {one["action"] for one in audited}
    assert [one for one in [*log, *map(json.dumps, audited)] if MARK in one] == []
