"""SQL and paths in every text of every endpoint, taken from the API's own description: nothing breaks, nothing changes,
nothing is read that lies outside."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx
import pytest
from marts import with_mart
from serving.conftest import NoDagster
from visits import Site

from lastmile.serving.app import make_app

OUTSIDE = "outside-of-the-store-7f31"
TEXTS = [
    "' OR '1'='1' --",
    '"; DROP TABLE raw.visits CASCADE; --',
    "visit.eq.1'); DELETE FROM ledger.drops; --",
    "x=1'; DROP SCHEMA ledger CASCADE; SELECT '",
    "mean:hours); DROP TABLE marts.fct_visit; --",
    "$$; CREATE ROLE intruder SUPERUSER; --",
    "../../../outside.txt",
    "..\\..\\outside.txt",
    "/etc/passwd",
    "records/../../../outside.txt",
]
#: They answer until something ends, or end what the test itself is signed in by.
LEFT_OUT = {"/api/v1/jobs/{job}/events", "/api/v1/runs/{run}/events", "/api/v1/auth/sign-out"}
REAL = {"name": "visits", "dataset": "visits", "table": "fct_visit", "layer": "marts", "collection": "plots"}

Json = Mapping[str, Any]


class Tried(NamedTuple):
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@pytest.fixture
def described(site: Site, here: Any) -> Json:
    site.arrive("a.csv", "v1,1,1,1,done", "v2,99,1,1,done")
    with_mart(site)
    (site.folder().parent / "outside.txt").write_text(OUTSIDE)
    here._engines["dagster"] = NoDagster()
    return make_app(here).openapi()


def test_no_text_breaks_out(described: Json, site: Site, api: Any) -> None:
    before, wrong, n = state(site), [], 0
    with api.to("admin") as client:
        for text in TEXTS:
            for tried in tries(described, text):
                n += 1
                answer = send(client, api.url, tried)
                if answer.status_code >= 500 or OUTSIDE in answer.text or "root:x:" in answer.text:
                    wrong.append(f"{answer.status_code} {tried}: {answer.text[:200]}")
    assert n > 1_000
    assert wrong == []
    assert state(site) == before
    assert [key for key in objects(site) if not key.startswith(("landing/visits/", "cleaned/", "uploads/"))] == []
    assert sorted(path.name for path in site.folder().parent.glob("*.txt")) == ["outside.txt"]


def tries(described: Json, text: str) -> Iterator[Tried]:
    """The text in each place that has room for one, every other place as it should be."""
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            if path in LEFT_OUT:
                continue
            parameters = operation.get("parameters", [])
            usual = {(one["in"], one["name"]): usual_of(described, one) for one in parameters if one.get("required")}
            schema = body_schema(operation)
            body = sample(described, schema) if schema else None
            for one in parameters:
                if is_text(described, one["schema"]):
                    yield made(method, path, usual | {(one["in"], one["name"]): text}, body)
            for other in placed(described, schema, text) if schema else ():
                yield made(method, path, usual, other)


def made(method: str, path: str, values: Mapping[tuple[str, str], str], body: Any) -> Tried:
    by_place: dict[str, dict[str, str]] = {"path": {}, "query": {}, "header": {}}
    for (place, name), value in values.items():
        by_place[place][name] = value
    path = path.format(**{name: quote(value, safe="") for name, value in by_place["path"].items()})
    return Tried(method.upper(), path, by_place["query"], by_place["header"], body)


def send(client: httpx.Client, url: str, tried: Tried) -> httpx.Response:
    body = {} if tried.body is None else {"json": tried.body}
    return client.request(tried.method, url + tried.path, params=tried.query, headers=tried.headers, **body)


def usual_of(described: Json, parameter: Json) -> str:
    if parameter["name"] in REAL:
        return REAL[parameter["name"]]
    return str(sample(described, parameter["schema"]))


def body_schema(operation: Json) -> Json | None:
    found: Json | None = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    return found


def resolved(described: Json, schema: Json) -> Json:
    return described["components"]["schemas"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def kind_of(schema: Json) -> str:
    found = schema.get("type", "")
    return str(found if isinstance(found, str) else found[0])


def is_text(described: Json, schema: Json) -> bool:
    schema = resolved(described, schema)
    if choices := schema.get("anyOf"):
        return any(is_text(described, one) for one in choices)
    if kind_of(schema) == "array":
        return is_text(described, schema["items"])
    return kind_of(schema) == "string" and "enum" not in schema


def sample(described: Json, schema: Json) -> Any:
    schema = resolved(described, schema)
    if "properties" in schema:
        return {name: sample(described, schema["properties"][name]) for name in schema.get("required", ())}
    if choices := schema.get("anyOf", schema.get("oneOf")):
        return sample(described, choices[0])
    if "enum" in schema:
        return schema["enum"][0]
    of_type = {
        "string": "00000000-0000-0000-0000-000000000000" if schema.get("format") == "uuid" else "1",
        "integer": schema.get("minimum", 1),
        "number": 0.1,
        "boolean": False,
        "object": {},
    }
    if kind_of(schema) == "array":
        return [sample(described, schema["items"])] * schema.get("minItems", 0)
    return of_type.get(kind_of(schema), "1")


def placed(described: Json, schema: Json, text: str) -> Iterator[Any]:
    """Values of the schema that have the text in one place."""
    schema = resolved(described, schema)
    if properties := schema.get("properties"):
        usual = sample(described, schema)
        for name, inner in properties.items():
            yield from ({**usual, name: value} for value in placed(described, inner, text))
    elif choices := schema.get("anyOf", schema.get("oneOf")):
        for one in choices:
            yield from placed(described, one, text)
    elif kind_of(schema) == "array":
        yield from ([value] for value in placed(described, schema["items"], text))
    elif kind_of(schema) == "object":
        yield from ({text: "1"}, {"visit": text})
    elif "enum" not in schema and kind_of(schema) in ("string", ""):
        yield text


def state(site: Site) -> dict[str, Any]:
    """Roles, tables with their columns, and how many rows there are of what no request may write."""
    columns = site.query(
        "SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns"
        " WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2, 3"
    )
    kept = {
        (one["table_schema"], one["table_name"])
        for one in columns
        if one["table_schema"] in ("raw", "marts", "ledger", "quarantine", "registry", "catalogue")
    }
    counts = {
        table: site.query(f'SELECT count(*) AS n FROM "{table[0]}"."{table[1]}"')[0]["n"] for table in sorted(kept)
    }
    intruders = site.query("SELECT rolname FROM pg_roles WHERE rolname = 'intruder'")
    return {"columns": columns, "rows": counts, "intruders": intruders}


def objects(site: Site) -> list[str]:
    return [path.relative_to(site.folder()).as_posix() for path in site.folder().rglob("*") if path.is_file()]
