"""The chart as three installations get it: valid, careful, and what the engine needs."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from deploy.tools import CHECKS, DEPLOY, run

from lastmile.streaming.landing.gathering import WAIT_SECONDS

CHART = DEPLOY / "chart"
ENVIRONMENTS = ("dev", "staging", "production")
#: Streams, as an installation that has some names them.
STREAM = """
streams:
  - {name: page_views, lag: 200000, min: 2, max: 24}
  - {name: orders, lag: 1000, min: 0, max: 4, resources: {limits: {memory: 1Gi}}}
changes:
  - {name: retail_stock}
"""
#: How long the API answers what is open, and the pause before (serving/server.py, chart/templates/_serving.tpl).
API_SECONDS = 20 + 10
#: Kinds that come from KEDA, which kubernetes-validate does not know.
FOREIGN = {"ScaledObject", "TriggerAuthentication"}

Manifest = dict[str, Any]


def rendered(*values: Path, code: int = 0) -> Any:
    said = run("python", CHECKS / "render.py", CHART, "lastmile", *values, code=code)
    return json.loads(said) if code == 0 else said


@pytest.fixture(scope="module")
def installations(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Manifest]]:
    streams = tmp_path_factory.mktemp("values") / "streams.yaml"
    streams.write_text(STREAM)
    return {name: rendered(CHART / "values" / f"{name}.yaml", streams) for name in ENVIRONMENTS}


@pytest.fixture(params=ENVIRONMENTS)
def manifests(request: pytest.FixtureRequest, installations: dict[str, list[Manifest]]) -> list[Manifest]:
    return installations[request.param]


@pytest.fixture
def files(installations: dict[str, list[Manifest]], tmp_path: Path) -> list[Path]:
    """All that an installation consists of, a file for each."""
    for name, found in installations.items():
        known = (one for one in found if one["kind"] not in FOREIGN)
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump_all(known))
    return sorted(tmp_path.glob("*.yaml"))


def pods(manifests: list[Manifest]) -> Iterator[tuple[str, Manifest]]:
    for one in manifests:
        if one["kind"] in ("Deployment", "Job"):
            yield one["metadata"]["name"], one["spec"]["template"]["spec"]


def named(manifests: list[Manifest], kind: str) -> dict[str, Manifest]:
    return {one["metadata"]["name"]: one for one in manifests if one["kind"] == kind}


def test_every_manifest_is_what_kubernetes_accepts(files: list[Path]) -> None:
    said = run("kubernetes-validate", "--strict", "-k", "1.31", *files)
    assert said.count("passed") > 80


def test_checkov_finds_nothing_that_has_no_reason(files: list[Path]) -> None:
    named_files = [word for file in files for word in ("-f", file)]
    said = run("checkov", "--config-file", CHECKS / "checkov.yaml", "--quiet", "--compact", "-o", "json", *named_files)
    summary = json.loads(said)["summary"]
    assert summary["failed"] == 0
    assert summary["passed"] > 1_500


def test_every_container_is_no_root_and_writes_to_its_own_volumes_only(manifests: list[Manifest]) -> None:
    for name, pod in pods(manifests):
        assert pod["securityContext"]["runAsNonRoot"], name
        for container in pod["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"], name
            assert container["resources"]["limits"]["memory"], name
            written = {mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")}
            assert {"/tmp", "/var/lib/lastmile"} <= written, name


def test_every_process_that_stays_says_whether_it_lives_and_is_ready(manifests: list[Manifest]) -> None:
    staying = [one for one in manifests if one["kind"] == "Deployment" and "-changes-" not in one["metadata"]["name"]]
    assert len(staying) >= 8
    for one in staying:
        (container,) = one["spec"]["template"]["spec"]["containers"]
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert container[probe], one["metadata"]["name"]


def test_no_process_is_killed_while_it_still_finishes_what_it_began(manifests: list[Manifest]) -> None:
    found = dict(pods(manifests))
    for name in ("lastmile-api", "lastmile-predictions"):
        assert found[name]["terminationGracePeriodSeconds"] > API_SECONDS
    dagster = yaml.safe_load(named(manifests, "ConfigMap")["lastmile-dagster"]["data"]["dagster.yaml"])
    runs = dagster["run_launcher"]["config"]["run_k8s_config"]["pod_spec_config"]
    assert runs["termination_grace_period_seconds"] > dagster["run_monitoring"]["cancel_timeout_seconds"]
    # A consumer that ends lands what it has gathered, at most so many seconds of events.
    assert found["lastmile-stream-page-views"]["terminationGracePeriodSeconds"] > 2 * WAIT_SECONDS


def test_secrets_are_referred_to_and_never_there(manifests: list[Manifest]) -> None:
    assert "Secret" not in {one["kind"] for one in manifests}
    for name, pod in pods(manifests):
        sources = [source for container in pod["containers"] for source in container["envFrom"]]
        assert any(source.get("secretRef", {}).get("name", "").startswith("lastmile-") for source in sources), name


def test_the_database_is_migrated_before_a_new_version_starts(manifests: list[Manifest]) -> None:
    job = named(manifests, "Job")["lastmile-migrations"]
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["lastmile", "migrate"]
    # What it refers to is there before it is.
    account = job["spec"]["template"]["spec"]["serviceAccountName"]
    (settings,) = [source["configMapRef"]["name"] for source in container["envFrom"] if "configMapRef" in source]
    for kind, name in (("ServiceAccount", account), ("ConfigMap", settings)):
        before = named(manifests, kind)[name]["metadata"]["annotations"]
        assert int(before["helm.sh/hook-weight"]) < int(job["metadata"]["annotations"]["helm.sh/hook-weight"])


def test_production_names_its_images_by_digest(installations: dict[str, list[Manifest]]) -> None:
    images = [container["image"] for _, pod in pods(installations["production"]) for container in pod["containers"]]
    assert len(images) > 7
    assert all("@sha256:" in image for image in images)


def test_what_pods_refer_to_is_there(manifests: list[Manifest]) -> None:
    accounts, maps = named(manifests, "ServiceAccount"), named(manifests, "ConfigMap")
    for name, pod in pods(manifests):
        assert pod["serviceAccountName"] in accounts, name
        for volume in pod["volumes"]:
            if "configMap" in volume:
                assert volume["configMap"]["name"] in maps, name
    workloads = named(manifests, "Deployment")
    for scaled in [*named(manifests, "HorizontalPodAutoscaler").values(), *named(manifests, "ScaledObject").values()]:
        assert scaled["spec"]["scaleTargetRef"]["name"] in workloads


def test_each_service_finds_its_pods_by_labels_and_their_port_by_name(manifests: list[Manifest]) -> None:
    workloads = [one["spec"]["template"] for one in named(manifests, "Deployment").values()]
    for name, service in named(manifests, "Service").items():
        wanted = service["spec"]["selector"].items()
        (found,) = [pod for pod in workloads if wanted <= pod["metadata"]["labels"].items()]
        ports = {port["name"] for container in found["spec"]["containers"] for port in container["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports, name


def test_each_stream_has_a_consumer_that_finds_its_declaration_by_name(manifests: list[Manifest]) -> None:
    for process, stream in (("stream-page-views", "page_views"), ("stream-orders", "orders")):
        (container,) = named(manifests, "Deployment")[f"lastmile-{process}"]["spec"]["template"]["spec"]["containers"]
        assert container["args"] == ["python", "-m", "lastmile.streaming.consumer", stream]
    assert container["resources"] == {"limits": {"memory": "1Gi"}}


def test_consumers_of_streams_are_scaled_by_what_postgres_says_waits(
    manifests: list[Manifest], database_url: str
) -> None:
    scaled = named(manifests, "ScaledObject")["lastmile-stream-page-views"]["spec"]
    (trigger,) = scaled["triggers"]
    assert (trigger["type"], trigger["metadata"]["targetQueryValue"]) == ("postgresql", "200000")
    (reference,) = named(manifests, "TriggerAuthentication")[trigger["authenticationRef"]["name"]]["spec"][
        "secretTargetRef"
    ]
    assert (reference["parameter"], reference["key"]) == ("connection", "LASTMILE_DATABASE_URL")
    with psycopg.connect(database_url, autocommit=True) as connection:
        assert connection.execute(trigger["metadata"]["query"]).fetchone() == (0,)
        connection.execute(
            "INSERT INTO streams.positions (stream, topic, partition, consumer, committed, end_offset) VALUES"
            " ('page_views', 't', 0, 'c', 10, 500000), ('page_views', 't', 1, 'c', NULL, 70),"
            " ('orders', 't', 0, 'c', 0, 9)"
        )
        assert connection.execute(trigger["metadata"]["query"]).fetchone() == (500_060,)


def test_a_stream_is_never_without_a_process_which_alone_sees_what_waits(manifests: list[Manifest]) -> None:
    scaled = named(manifests, "ScaledObject")
    found = {name: (one["spec"]["minReplicaCount"], one["spec"]["maxReplicaCount"]) for name, one in scaled.items()}
    assert found == {"lastmile-stream-page-views": (2, 24), "lastmile-stream-orders": (1, 4)}


def test_kafka_is_reached_by_consumers_and_the_api_only(manifests: list[Manifest]) -> None:
    policies = named(manifests, "NetworkPolicy")
    (selector,) = policies["lastmile-kafka"]["spec"]["podSelector"]["matchExpressions"]
    assert set(selector["values"]) == {"api", "stream-page-views", "stream-orders"}
    workloads = {one["metadata"]["labels"]["app.kubernetes.io/component"] for one in pods_labels(manifests)}
    assert set(selector["values"]) <= workloads
    opened = {
        name: {port["port"] for rule in policy["spec"].get("egress", []) for port in rule.get("ports", [])}
        for name, policy in policies.items()
    }
    assert {name for name, ports in opened.items() if ports & {9092, 9096, 9098}} == {"lastmile-kafka"}


def pods_labels(manifests: list[Manifest]) -> Iterator[Manifest]:
    for one in manifests:
        if one["kind"] == "Deployment":
            yield one["spec"]["template"]


def test_a_stream_that_no_file_can_declare_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "streams.yaml").write_text("streams: [{name: Page-Views, lag: 1, min: 1, max: 1}]")
    said = rendered(CHART / "values" / "dev.yaml", tmp_path / "streams.yaml", code=1)
    assert 'streams: "Page-Views" is no name of a stream' in said


def test_a_database_is_followed_by_one_process_that_is_never_doubled(manifests: list[Manifest]) -> None:
    spec = named(manifests, "Deployment")["lastmile-changes-retail-stock"]["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    (container,) = spec["template"]["spec"]["containers"]
    assert container["args"] == ["python", "-m", "lastmile.sources.changes", "retail_stock"]


def test_production_scales_with_its_load_and_dev_has_no_streams() -> None:
    production = rendered(CHART / "values" / "production.yaml")
    assert set(named(production, "HorizontalPodAutoscaler")) == {"lastmile-api", "lastmile-predictions"}
    assert not named(rendered(CHART / "values" / "dev.yaml"), "ScaledObject")


@pytest.mark.parametrize("missing", ["secret", "store.url", "images.platform"])
def test_what_an_installation_must_say_is_demanded_by_name(missing: str, tmp_path: Path) -> None:
    values = yaml.safe_load((CHART / "values" / "dev.yaml").read_text())
    match missing:
        case "secret":
            del values["secret"]
        case "store.url":
            del values["store"]
        case _:
            values["images"]["platform"]["tag"] = ""
    (tmp_path / "values.yaml").write_text(yaml.safe_dump(values))
    assert f"{missing}: expected" in rendered(tmp_path / "values.yaml", code=1)


def test_dagster_is_set_up_as_the_profile_of_clusters_says() -> None:
    profile = DEPLOY.parent / "lastmile" / "orchestration" / "instance" / "cluster.yaml"
    assert (CHART / "files" / "dagster.yaml").read_text() == profile.read_text()


def test_the_version_of_dagsters_own_chart_is_the_locked_one() -> None:
    from importlib.metadata import version

    (dependency,) = yaml.safe_load((CHART / "Chart.yaml").read_text())["dependencies"]
    assert dependency["version"] == version("dagster")
