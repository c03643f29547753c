"""`lastmile schema` publishes contracts, shows what there is, and says in CI what a change would break."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from lastmile.cli.app import app
from lastmile.store import Store
from lastmile.streaming.schemas.files import FileRegistry
from lastmile.streaming.schemas.schema import Schema, document


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["schema", *words])


@pytest.mark.usefixtures("home")
def test_a_contract_is_published_shown_and_as_published() -> None:
    assert "publish CONTRACT" in run("list").output
    published = run("publish", "retail_lines", "--format", "avro")
    assert published.output == "retail_lines-value version 1: retail_lines as AVRO, id 1\n"
    assert json.loads(run("show", "retail_lines-value").output)["name"] == "retail_lines"
    assert json.loads(run("show", "1", "--json").output)["id"] == 1
    assert json.loads(run("list", "--json").output) == [
        {"subject": "retail_lines-value", "versions": 1, "kind": "AVRO", "id": 1, "level": "BACKWARD"}
    ]
    checked = run("check", "retail_lines")
    assert (checked.exit_code, checked.output) == (0, "retail_lines-value: as published\n")


def test_a_change_that_breaks_readers_fails_the_check_and_is_published_by_force_only(store: Store) -> None:
    run("publish", "retail_lines", "--format", "avro")
    registry = FileRegistry(store)
    there = registry.version("retail_lines-value").schema
    before = document(there)
    before["fields"] = [one for one in before["fields"] if one["name"] != "quantity"]
    registry.set_level("NONE", "retail_lines-value")
    registry.register("retail_lines-value", Schema("AVRO", json.dumps(before)))
    registry.set_level("BACKWARD", "retail_lines-value")
    checked = run("check", "retail_lines")
    assert checked.exit_code == 1
    assert "field quantity is not there, and has no default" in checked.output
    (verdict,) = json.loads(run("check", "retail_lines", "--json").output)
    assert verdict["broken"]
    assert "is not compatible with version 2" in str(run("publish", "retail_lines").exception)
    assert run("publish", "retail_lines", "--force").exit_code == 0
    assert run("check", "retail_lines").exit_code == 0


@pytest.mark.usefixtures("home")
def test_what_is_not_there_is_said() -> None:
    assert "no dataset 'nothing'" in str(run("publish", "nothing").exception)
    assert "no subject 'nothing'" in str(run("show", "nothing").exception)
    assert "name it" in str(run("publish", "--subject", "a").exception)


def test_protobuf_is_shown_as_text(home: Path) -> None:
    run("publish", "retail_lines", "--format", "protobuf", "--subject", "p")
    assert 'name: "quantity"' in run("show", "p").output
