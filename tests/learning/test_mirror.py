"""The mirror in MLflow: shows what is registered, once, and what goes wrong there stops nothing here."""

import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from mlflow import MlflowClient

from lastmile.errors import UserError
from lastmile.learning.registry.mirror import mirror
from lastmile.learning.registry.versions import ModelVersion

EMPTY = dict.fromkeys(ModelVersion.__dataclass_fields__)
VERSION = ModelVersion(
    **{
        **EMPTY,
        "name": "fields",
        "version": "3",
        "created_at": datetime.now(UTC),
        "artifact_key": "models/fields/3/model.skops",
        "sha256": "ab" * 32,
        "feature_set": "fields",
        "scores": {"log_loss": 0.4, "dummy": {"log_loss": 1.1}, "recall": {"high (best)": 0.8}, "confusion": [[1]]},
        "data_versions": {"rows": "d1", "recipe": "r1"},
    }
)


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store of MLflow in a file."""
    monkeypatch.chdir(tmp_path)  # artifacts of this store go into the working folder
    return f"sqlite:///{tmp_path}/mlflow.db"


def test_a_version_is_a_run_with_its_scores_and_artifact_and_a_registered_version(url: str) -> None:
    assert mirror(url, VERSION, b"artifact") is None
    client = MlflowClient(url, url)
    (shown,) = client.search_model_versions("name = 'fields'")
    run = client.get_run(shown.run_id)
    assert run.data.metrics == {"log_loss": 0.4, "dummy.log_loss": 1.1, "recall.high _best_": 0.8}
    assert run.data.tags["lastmile.version"] == shown.tags["lastmile.version"] == "3"
    assert run.data.tags["lastmile.sha256"] == VERSION.sha256
    assert run.info.status == "FINISHED"
    kept = Path(run.info.artifact_uri.removeprefix("file://"), "model.skops")
    assert kept.read_bytes() == b"artifact"


def test_a_version_is_shown_once_and_the_next_one_too(url: str) -> None:
    for version in (VERSION, VERSION, replace(VERSION, version="4")):
        assert mirror(url, version, b"artifact") is None
    assert len(MlflowClient(url, url).search_model_versions("name = 'fields'")) == 2


def test_a_server_that_does_not_answer_is_a_warning_that_keeps_its_address_to_itself() -> None:
    why = mirror("http://user:secret@127.0.0.1:9", VERSION, b"artifact")
    assert why is not None
    assert why.startswith("fields version 3 is registered, but not shown in MLflow:")
    assert "secret" not in why


def test_without_mlflow_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(UserError, match=r"needs the package mlflow: install lastmile\[mlflow\]"):
        mirror("http://127.0.0.1:9", VERSION, b"artifact")
