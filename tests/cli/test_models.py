"""`lastmile models`: versions are listed, compared, put in use, held and made again."""

import json
import os
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest
from commands import Commands
from experimenting import two_versions
from fields import YIELD, fields, trees

from lastmile.contracts.broken import Declarations
from lastmile.learning.declarations import loading
from lastmile.learning.declarations.loading import Declared
from lastmile.learning.registry import deployments
from lastmile.learning.registry.events import Cause
from lastmile.learning.registry.versions import version_of
from lastmile.learning.training.candidates import train
from lastmile.warehouse.connections import connect

COMMANDS = Commands("models")
run, said, mistake = COMMANDS.run, COMMANDS.said, COMMANDS.mistake


def quick():
    return trees().set_params(histgradientboostingclassifier__max_iter=5)


DECLARED = Declared(replace(YIELD, estimator=quick), "farming", Path(__file__), "c")
BY_TEST = Cause("a first version", "pytest")


@pytest.fixture
def connection(settings, database_url, monkeypatch):
    declared = Declarations()
    declared["fields"] = DECLARED
    monkeypatch.setattr(loading, "load_models", lambda assets: declared)
    with connect(database_url) as connection, mock.patch.dict(os.environ):
        yield connection


@pytest.fixture
def registry(connection, store):
    """Version 1, in use, and version 2, neither of them evaluated."""
    two_versions(connection, store)
    return connection


@pytest.fixture
def trained(connection, store):
    """Version 1, in use, and version 2, of more rows."""
    rows = fields(500)
    first, _ = train(connection, store, DECLARED, rows[:300], BY_TEST)
    deployments.promote(connection, first, None, BY_TEST)
    train(connection, store, DECLARED, rows, BY_TEST)
    return connection


def in_use(connection):
    found = deployments.deployment(connection, "fields")
    return found.version, found.held_reason


def test_a_version_is_looked_at_put_in_use_and_rolled_back_with_who_and_why(trained):
    assert said("list").split("newest version")[1].split()[:2] == ["fields", "1"]
    compared = said("compare", "fields", "2")
    assert "rows in" in compared
    assert "that neither had seen; ranked_probability_score decides" in compared
    promoted = said("promote", "fields", "2", "--why", "looked at by hand", "--who", "ada")
    assert promoted == "version 2 of fields is in use\n"
    assert "version 2 of fields is in use already" in said("promote", "fields", "2", "--why", "once more")
    assert "version 1 of fields is in use, and held" in said("rollback", "fields", "--why", "misses two villages")
    assert in_use(trained) == ("1", "misses two villages")
    assert "fields is held" in mistake("promote", "fields", "2", "--why", "again")
    assert "may be replaced again" in said("release", "fields", "--why", "mended")
    history = said("show", "fields").split("in brackets")[1]
    assert "version 2 promoted by ada: looked at by hand" in history
    assert history.index(" released ") < history.index(" rolled back ") < history.index(" promoted ")


def test_what_a_person_changes_is_shown_on_the_champions_page_in_dagster(registry, settings):
    from dagster import AssetKey

    from lastmile.embedded.instance import dagster_instance

    said("promote", "fields", "2", "--why", "looked at by hand")
    with dagster_instance(settings) as instance:
        event = instance.get_latest_materialization_event(AssetKey(["champion", "fields"]))
    assert event.asset_materialization.tags["dagster/data_version"] == "2"


def test_a_hold_keeps_candidates_out_and_needs_a_reason(registry):
    assert "version 1 of fields is held" in said("hold", "fields", "--why", "the campaign runs until May")
    second = version_of(registry, "fields", "2")
    assert deployments.promote(registry, second, "1", BY_TEST) == "held"
    assert "--why is empty" in mistake("release", "fields", "--why", " ")


def test_a_version_is_made_again_from_its_rows_bit_for_bit(trained, store):
    assert "version 1 from its 300 rows: the same, bit for bit" in said("reproduce", "fields", "1")
    assert json.loads(said("reproduce", "fields", "2", "--json"))["exact"] is True
    snapshot = version_of(trained, "fields", "1").data_versions["rows"]
    for found in [*store.list("snapshots")]:
        if snapshot in found.key:
            store.delete(found.key)
    assert "snapshot" in mistake("reproduce", "fields", "1")


def test_the_card_is_a_page_in_the_store(trained, store):
    where = said("card", "fields", "2").strip()
    page = store.read(where.removeprefix(f"{store.url}/")).decode()
    assert "fields" in page
    assert page.count("<html") == 1


def test_programs_get_models_and_versions_as_json(trained):
    (row,) = json.loads(said("list", "--json"))["models"]
    assert (row["name"], row["in use"], row["newest"]) == ("fields", "1", "2")
    versions = json.loads(said("show", "fields", "--json"))["versions"]
    assert [version["version"] for version in versions] == ["2", "1"]
    assert json.loads(said("compare", "fields", "2", "1", "--json"))["metric"] == "ranked_probability_score"


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["show", "crops"], "no file declares the model crops; declared: fields"),
        (["promote", "fields", "9", "--why", "new"], "9"),
        (["rollback", "fields", "--why", "worse"], "no other version of fields was ever in use"),
        (["train", "crops"], "no file declares the model crops"),
    ],
)
def test_a_mistake_is_named_with_what_there_is(registry, command, says):
    assert says in mistake(*command)
