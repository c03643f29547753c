"""The pod of a run, as Dagster's launcher makes it from the chart's settings."""

import json
from pathlib import Path
from typing import Any

import kubernetes
import pytest
import yaml
from dagster import DagsterInstance, DagsterRun
from dagster._serdes import ConfigurableClassData
from dagster_k8s import K8sRunLauncher
from dagster_k8s.container_context import K8sContainerContext
from dagster_k8s.job import construct_dagster_k8s_job
from deploy.test_chart import CHART, named, rendered
from deploy.tools import run


@pytest.fixture
def launcher(monkeypatch: pytest.MonkeyPatch) -> K8sRunLauncher:
    """Outside a cluster it only lacks the cluster's address."""
    monkeypatch.setattr(kubernetes.config, "load_incluster_config", lambda: None)
    maps = named(rendered(CHART / "values" / "production.yaml"), "ConfigMap")
    settings = yaml.safe_load(maps["lastmile-dagster"]["data"]["dagster.yaml"])["run_launcher"]
    data = ConfigurableClassData(settings["module"], settings["class"], yaml.safe_dump(settings["config"]))
    found = data.rehydrate(as_type=K8sRunLauncher)
    assert found is not None
    return found


@pytest.fixture
def job(launcher: K8sRunLauncher) -> dict[str, Any]:
    with DagsterInstance.ephemeral() as instance:
        launcher.register_instance(instance)
        context = K8sContainerContext.create_for_run(DagsterRun(job_name="a_job"), launcher, include_run_tags=True)
        made = construct_dagster_k8s_job(
            context.get_k8s_job_config(None, launcher),
            args=["dagster", "api", "execute_run", "{}"],
            job_name="a-run",
            user_defined_k8s_config=context.run_k8s_config,
        )
    return kubernetes.client.ApiClient().sanitize_for_serialization(made)


def test_the_pod_of_a_run_is_what_kubernetes_accepts(job: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"
    file.write_text(json.dumps(job))
    assert "passed" in run("kubernetes-validate", "--strict", "-k", "1.31", file)


def test_a_run_has_the_rights_settings_and_time_of_the_other_processes(job: dict[str, Any]) -> None:
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["serviceAccountName"] == "lastmile-runs"
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert pod["terminationGracePeriodSeconds"] == 300
    assert job["spec"]["ttlSecondsAfterFinished"] == 86400
    assert {"secretRef": {"name": "lastmile-production"}} in container["envFrom"]
    assert {"configMapRef": {"name": "lastmile-settings"}} in container["envFrom"]


def test_the_image_prepares_the_surroundings_of_a_run_before_it_starts(job: dict[str, Any]) -> None:
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["args"][0] == "dagster"
    assert not container.get("command"), "a command would take the place of the image's entry point"
    home = {variable["name"]: variable.get("value") for variable in container["env"]}["DAGSTER_HOME"]
    mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
    assert mounts[f"{home}/dagster.yaml"]["subPath"] == "dagster.yaml"
    assert mounts[home]["name"] == "dagster-home", "Dagster may write next to it"
