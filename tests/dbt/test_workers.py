"""A worker makes what the web UI showed when its run was requested, and parses nothing."""

import shutil

import pytest
from dagster._core.definitions.definitions_load_context import DefinitionsLoadContext, DefinitionsLoadType
from dagster._core.definitions.metadata.metadata_value import CodeLocationReconstructionMetadataValue
from dagster._core.definitions.repository_definition.repository_definition import RepositoryLoadData

from lastmile.orchestration.dbt import project
from lastmile.orchestration.dbt.project import project_folder


@pytest.fixture
def load():
    """Load as the code server does, or with what one handed over as a worker does; its context is handed back."""

    def load(contracts, handed_over=None):
        kind = DefinitionsLoadType.RECONSTRUCTION if handed_over else DefinitionsLoadType.INITIALIZATION
        wrapped = {name: CodeLocationReconstructionMetadataValue(value) for name, value in (handed_over or {}).items()}
        data = RepositoryLoadData(cacheable_asset_data={}, reconstruction_metadata=wrapped, defs_state_info=None)
        context = DefinitionsLoadContext(kind, data if handed_over else None)
        with DefinitionsLoadContext.scoped(context):
            return project_folder(contracts), dict(context.get_pending_reconstruction_metadata())

    return load


def test_a_model_saved_since_is_not_in_a_run_that_was_requested_before(load, contracts, tmp_path, monkeypatch):
    prepared = [tmp_path / "before", tmp_path / "after"]
    for folder in prepared:
        folder.mkdir()
        (folder / "ready").touch()
    saved = iter(prepared)
    monkeypatch.setattr(project, "prepared", lambda *_, **__: next(saved))

    folder, handed_over = load(contracts)
    assert load(contracts, handed_over)[0] == folder == prepared[0]

    shutil.rmtree(prepared[0])
    assert load(contracts, handed_over)[0] == prepared[1]
