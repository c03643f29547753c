"""Versions shown in MLflow, too, for those who look there: one way, after registration, and never in its way.

    if why := mirror(url, version, body):
        context.log.warning(why)

The registry in Postgres stays the only one that decides. Each version is a run of the experiment that is named as the
model, with its scores, data versions and artifact, and a version of the registered model of that name.
"""

import json
import os
import re
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lastmile.errors import naming_the_extra
from lastmile.learning.registry.versions import ModelVersion

if TYPE_CHECKING:
    from mlflow import MlflowClient

#: By default a server that does not answer is tried for minutes, while the training waits.
_PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}
_VERSION = "lastmile.version"
#: The longest value of a tag that every store of MLflow keeps.
_LONGEST = 5_000
#: What names of metrics may not have.
_REFUSED = re.compile(r"[^\w .:/-]+")


def mirror(url: str, version: ModelVersion, body: bytes) -> str | None:
    """Show the version and its artifact in the MLflow at `url`, once however often it is called.

    Returns the reason where that was not possible: whatever happens there, the version is registered. Raises UserError
    without the package.
    """
    with naming_the_extra("LASTMILE_MLFLOW_URL"):
        from mlflow import MlflowClient
    for name, value in _PATIENCE.items():
        os.environ.setdefault(name, value)
    try:
        client = MlflowClient(tracking_uri=url, registry_uri=url)
        _show(client, _experiment(client, version.name), version, body)
    except Exception as error:  # a server, its store, a network: any of them, with exceptions of their own
        said = str(error).replace(url, "its address")
        return f"{version.name} version {version.version} is registered, but not shown in MLflow: {said}"
    return None


def _experiment(client: "MlflowClient", name: str) -> str:
    found = client.get_experiment_by_name(name)
    return str(found.experiment_id) if found else str(client.create_experiment(name))


def _show(client: "MlflowClient", experiment: str, version: ModelVersion, body: bytes) -> None:
    if client.search_runs([experiment], f"tags.`{_VERSION}` = '{version.version}' AND attributes.status = 'FINISHED'"):
        return
    run = client.create_run(experiment, run_name=f"version {version.version}", tags=_tags(version))
    for name, value in _numbers(version.scores).items():
        client.log_metric(run.info.run_id, name, value)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, Path(version.artifact_key).name)
        file.write_bytes(body)
        client.log_artifact(run.info.run_id, str(file))
    if not client.search_registered_models(f"name = '{version.name}'"):
        client.create_registered_model(version.name)
    source = f"{run.info.artifact_uri}/{Path(version.artifact_key).name}"
    client.create_model_version(version.name, source, run.info.run_id, tags={_VERSION: version.version})
    client.set_terminated(run.info.run_id, end_time=int(time.time() * 1000))


def _tags(version: ModelVersion) -> dict[str, str]:
    known = {
        _VERSION: version.version,
        "lastmile.artifact": version.artifact_key,
        "lastmile.sha256": version.sha256,
        "lastmile.feature_set": version.feature_set,
        "lastmile.code_version": version.code_version,
        "lastmile.run": version.run_id,
        "lastmile.data_versions": json.dumps(version.data_versions),
    }
    return {name: str(value)[:_LONGEST] for name, value in known.items() if value is not None}


def _numbers(scores: dict[str, Any], prefix: str = "") -> dict[str, float]:
    """Scores by name, those of the dummy and the like as `dummy.log_loss`."""
    found: dict[str, float] = {}
    for name, value in scores.items():
        if isinstance(value, dict):
            found |= _numbers(value, f"{prefix}{name}.")
        elif isinstance(value, int | float):
            found[_REFUSED.sub("_", f"{prefix}{name}")] = float(value)
    return found
