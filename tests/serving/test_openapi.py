"""The description of the API is what is committed, and a change of it is said to break or to add."""

import copy
import json
from typing import Any

import pytest
from checkout import PROJECT

from lastmile.serving.openapi import description, differences, written

COMMITTED = PROJECT / "docs" / "openapi.json"


def test_the_committed_description_is_that_of_the_api() -> None:
    found, committed = description(), json.loads(COMMITTED.read_text())
    changes = "\n".join(map(str, differences(committed, found))) or "words, bounds or examples only"
    assert COMMITTED.read_text() == written(found), (
        f"docs/openapi.json is another one; `make openapi` writes it.\n{changes}"
    )


SPEC: dict[str, Any] = {
    "paths": {
        "/things": {
            "get": {
                "parameters": [{"name": "limit", "in": "query", "schema": {"type": "integer"}}],
                "responses": {
                    "200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}}
                },
            },
            "post": {
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Given"}}}},
                "responses": {"201": {}},
            },
        }
    },
    "components": {
        "schemas": {
            "Thing": {
                "type": "object",
                "required": ["id", "part"],
                "properties": {
                    "id": {"type": "integer"},
                    "part": {"$ref": "#/components/schemas/Thing"},
                    "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                },
            },
            "Given": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "n": {}}},
        }
    },
}
GET, POST = ("paths", "/things", "get"), ("paths", "/things", "post")
THING, GIVEN = ("components", "schemas", "Thing"), ("components", "schemas", "Given")
GONE = object()


def changed(place: tuple[Any, ...], value: Any) -> dict[str, Any]:
    made = copy.deepcopy(SPEC)
    inner: Any = made
    for name in place[:-1]:
        inner = inner[name]
    if value is GONE:
        del inner[place[-1]]
    else:
        inner[place[-1]] = value
    return made


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("paths", "/things"), GONE, ["breaking: GET /things is gone", "breaking: POST /things is gone"]),
        (POST, GONE, ["breaking: POST /things is gone"]),
        (("paths", "/more"), {"get": {"responses": {}}}, ["additive: GET /more is new"]),
        ((*GET, "parameters", 0, "required"), True, ["breaking: GET /things, parameter limit (query) is required now"]),
        ((*GET, "parameters"), [], ["breaking: GET /things, parameter limit (query) is gone"]),
        (
            (*GET, "parameters", 0, "schema", "type"),
            "string",
            ["breaking: GET /things, parameter limit (query): ('integer',), now ('string',)"],
        ),
        (
            (*GET, "parameters", 0, "schema", "type"),
            ["integer", "string"],
            ["additive: GET /things, parameter limit (query): ('integer',), now ('integer', 'string')"],
        ),
        ((*GET, "responses", "200"), GONE, ["breaking: GET /things, answer 200 is gone"]),
        ((*THING, "properties", "id"), GONE, ["breaking: GET /things, answer 200, field id is gone"]),
        ((*THING, "properties", "new"), {}, ["additive: GET /things, answer 200, field new is new"]),
        ((*THING, "required"), ["part"], ["breaking: GET /things, answer 200, field id is optional now"]),
        (
            (*THING, "properties", "id", "type"),
            ["integer", "null"],
            ["breaking: GET /things, answer 200, field id: ('integer',), now ('integer', 'null')"],
        ),
        (
            (*THING, "properties", "note"),
            {"type": "string"},
            ["additive: GET /things, answer 200, field note: ('null', 'string'), now ('string',)"],
        ),
        ((*GIVEN, "required"), ["name", "n"], ["breaking: POST /things, body, field n is required now"]),
        ((*GIVEN, "required"), [], ["additive: POST /things, body, field name is optional now"]),
        ((*GIVEN, "properties", "more"), {}, ["additive: POST /things, body, field more is new"]),
        ((*GIVEN, "description"), "other words", []),
    ],
)
def test_a_change_is_said_to_break_or_to_add(place: tuple[Any, ...], value: Any, said: list[str]) -> None:
    assert list(map(str, differences(SPEC, changed(place, value)))) == said


def test_the_description_is_written_the_same_each_time() -> None:
    assert written(description()) == written(description())
