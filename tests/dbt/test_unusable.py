"""One model that dbt or Dagster cannot use costs itself alone, and is named."""

import json
import shutil

import dagster as dg
import pytest
from checkout import PROJECT

from lastmile.contracts.broken import Broken, Declarations
from lastmile.orchestration.dbt.assets import usable_warehouse
from lastmile.orchestration.dbt.project import usable_project
from lastmile.orchestration.dbt.unusable import unusable_models, with_descendants
from lastmile.project import Project
from lastmile.warehouse.dbt.project import MANIFEST
from lastmile.warehouse.dbt.sources import committed_tables


@pytest.fixture
def project(tmp_path, monkeypatch, home):
    """A copy of the dbt project that a test may change, in a home where nothing was parsed yet."""
    copy = shutil.copytree(PROJECT / "dbt_project", tmp_path / "dbt_project")
    here = Project(tmp_path, "assets", "assets.definitions", copy)
    monkeypatch.setattr(Project, "current", classmethod(lambda cls: here))
    for name in ("PGHOST", "PGUSER", "PGDATABASE", "PGPASSWORD"):
        monkeypatch.setenv(name, "nowhere")
    monkeypatch.setenv("PGPORT", "9")
    return copy


def test_the_project_as_it_last_parsed_is_used_while_it_does_not_parse(project, contracts):
    before, none = usable_project(contracts)
    assert none == []
    (project / "models" / "marts" / "lost.sql").write_text("select * from {{ ref('nowhere') }}")
    folder, (broken,) = usable_project(contracts)
    assert folder == before
    assert broken.file == "dbt_project/models/marts/lost.sql"
    assert "depends on a node named 'nowhere' which was not found" in broken.why
    assert "the project as it last parsed is used meanwhile (changed since: models/marts/lost.sql)" in broken.why


def test_where_it_never_parsed_the_models_that_dbt_names_are_left_out(project, contracts):
    (project / "models" / "marts" / "lost.sql").write_text("select * from {{ ref('nowhere') }}")
    (project / "models" / "marts" / "half.sql").write_text("select {{ ref('dim_survey' }}")
    folder, broken = usable_project(contracts)
    assert sorted(one.file.rsplit("/", 1)[-1] for one in broken) == ["half.sql", "lost.sql"]
    names = {node["name"] for node in json.loads((folder / MANIFEST).read_text())["nodes"].values()}
    assert "dim_survey" in names
    assert not names & {"lost", "half"}


def test_a_project_that_is_not_there_costs_the_warehouse_alone(project, contracts):
    shutil.rmtree(project)
    folder, (broken,) = usable_project(contracts)
    assert folder is None
    assert "expected" in broken.why
    assert "no table of the warehouse is made until it parses" in broken.why


@pytest.fixture
def manifest(built):
    return json.loads((built.project / MANIFEST).read_text())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"config": {"materialized": "tabel"}}, "it is materialized as 'tabel'; expected one of view, table"),
        ({"original_file_path": "models/top.sql"}, "expected a folder of its layer (staging, intermediate, marts)"),
    ],
)
def test_a_model_that_can_be_no_asset_is_named_with_what_was_expected(manifest, contracts, changes, said):
    name = "model.lastmile.dim_survey"
    node = manifest["nodes"][name]
    manifest["nodes"][name] = {**node, **changes, "config": {**node["config"], **changes.get("config", {})}}
    assert unusable_models(manifest, contracts)[name].startswith(said)


def test_a_table_by_partition_that_reads_no_dataset_is_named(manifest, contracts):
    manifest["parent_map"]["model.lastmile.int_household"] = []
    (why,) = unusable_models(manifest, contracts).values()
    assert why.startswith("it is made by partition and reads no dataset")


def test_without_a_contract_what_is_made_from_its_dataset_is_left_out_and_nothing_else(installation, contracts, built):
    fewer = {name: contract for name, contract in contracts.items() if name != "retail_lines"}
    made, broken = usable_warehouse(fewer, built.project)
    names = {key.path[-1] for assets in made for key in assets.keys}
    assert {"int_household", "dim_survey"} <= names
    assert not {name for name in names if name.startswith(("int_retail", "fct_retail"))}
    assert any("whose contract cannot be used; what is made from it is left out too" in one.why for one in broken)
    dg.Definitions.validate_loadable(dg.Definitions(assets=made, resources={"platform": 1, "dbt": 1}))


def test_what_is_made_from_a_model_is_known_however_far_down(manifest):
    below = with_descendants(manifest, ["model.lastmile.int_household"])
    assert {"model.lastmile.int_household", "model.lastmile.dim_survey"} <= below
    assert not any("retail" in name for name in below)


def test_the_source_of_a_broken_contract_is_that_committed_with_the_project(contracts):
    fewer = Declarations()
    fewer.update({name: contract for name, contract in contracts.items() if name != "crop"})
    fewer.broken.append(Broken("contract", "crop.py", "no", names=("crop",)))
    (table,) = committed_tables(fewer, PROJECT / "dbt_project")
    assert table["name"] == "crop"
    assert committed_tables(contracts, PROJECT / "dbt_project") == []
