"""The infrastructure: it parses, is careful, and speaks of what the chart has."""

import json
from typing import Any

import pytest
import yaml
from deploy.test_chart import ENVIRONMENTS
from deploy.tools import CHECKS, DEPLOY, run, run_installed

from lastmile.settings.group import variables
from lastmile.settings.kafka import PROTOCOLS, KafkaSettings

TERRAFORM = DEPLOY / "terraform"


@pytest.fixture(scope="module")
def files() -> dict[str, Any]:
    """The content of every file, by its path."""
    return json.loads(run("python", CHECKS / "parse.py", TERRAFORM, environment=".venv-audit"))


@pytest.fixture(scope="module")
def values() -> dict[str, Any]:
    """The chart's own."""
    return yaml.safe_load((DEPLOY / "chart" / "values.yaml").read_text())


def blocks(files: dict[str, Any], kind: str) -> dict[str, Any]:
    """What the root declares of a kind, such as `variable`, by name."""
    root = (content for name, content in files.items() if name.endswith(".tf") and "/" not in name)
    return {name: body for content in root for block in content.get(kind, []) for name, body in block.items()}


def test_checkov_finds_nothing_that_has_no_reason() -> None:
    words = ["--framework", "terraform", "--quiet", "--compact", "-o", "json", "--download-external-modules", "false"]
    production = ["--var-file", TERRAFORM / "environments" / "production.tfvars"]
    summary = json.loads(run("checkov", *words, *production, "-d", TERRAFORM))["summary"]
    assert (summary["failed"], summary["parsing_errors"]) == (0, 0)
    assert summary["passed"] > 200


def test_it_is_formatted() -> None:
    assert run_installed("terraform", "fmt", "-check", "-recursive", TERRAFORM).strip() == ""


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_environment_is_a_file_that_sets_what_has_no_default_and_nothing_else(
    files: dict[str, Any], environment: str
) -> None:
    declared, given = blocks(files, "variable"), files[f"environments/{environment}.tfvars"]
    assert given["environment"] == environment
    assert {name for name, variable in declared.items() if "default" not in variable} <= set(given) <= set(declared)
    for name, value in given.items():
        if isinstance(value, dict):
            kind = declared[name]["type"]
            assert all(f"{part} =" in kind for part in value), f"{name}: {kind}"


def test_environments_have_addresses_of_their_own_and_the_chart_knows_them(files: dict[str, Any]) -> None:
    found = {files[f"environments/{name}.tfvars"]["cidr"] for name in ENVIRONMENTS}
    assert len(found) == len(ENVIRONMENTS)
    for name in ENVIRONMENTS:
        chart = yaml.safe_load((DEPLOY / "chart" / "values" / f"{name}.yaml").read_text())
        assert chart["networkPolicy"]["dataCidrs"] == [files[f"environments/{name}.tfvars"]["cidr"]]


def test_every_output_for_the_chart_is_a_value_that_the_chart_has(
    files: dict[str, Any], values: dict[str, Any]
) -> None:
    output = blocks(files, "output")["chart_values"]["value"]
    assert unknown(output, values) == []
    assert "store" in output


def unknown(given: Any, known: Any, path: str = "") -> list[str]:
    """Paths in `given` that `known` lacks; an empty map there may have any keys."""
    if not isinstance(given, dict) or known == {}:
        return []
    found = []
    for name, value in given.items():
        here = f"{path}.{name}"
        found += unknown(value, known[name], here) if name in known else [here]
    return found


def test_a_value_that_the_chart_lacks_is_found(values: dict[str, Any]) -> None:
    assert unknown({"store": {"url": "s3://b", "uri": "s3://b"}, "objects": 1}, values) == [".store.uri", ".objects"]


def test_roles_are_for_the_service_accounts_that_the_chart_makes(files: dict[str, Any]) -> None:
    (local,) = files["identity.tf"]["locals"]
    trusted = {name for account in local["accounts"].values() for name in account["names"]}
    made = (DEPLOY / "chart" / "templates" / "accounts.yaml").read_text().partition("dict ")[2].partition("}}")[0]
    assert trusted == {word for word in made.split('"') if word.strip() and "." not in word}


def test_kafka_is_signed_in_to_by_a_password_that_the_chart_gets_by_its_secret(files: dict[str, Any]) -> None:
    module = files["modules/stream/main.tf"]
    resources = {kind: body for block in module["resource"] for kind, named in block.items() for body in named.values()}
    (signed_in,) = resources["aws_msk_cluster"]["client_authentication"]
    assert signed_in["sasl"] == [{"scram": True}]
    assert resources["aws_vpc_security_group_ingress_rule"]["to_port"] == 9096
    (settings,) = [block["settings"]["value"] for block in module["output"] if "settings" in block]
    known = {one.name for one in variables(KafkaSettings)}
    assert set(settings) <= known
    assert settings["LASTMILE_KAFKA_SECURITY_PROTOCOL"] in PROTOCOLS
    (secrets,) = files["secrets.tf"]["locals"]
    assert "LASTMILE_KAFKA_SASL_PASSWORD" in json.dumps(secrets["stream_passwords"])
    assert "LASTMILE_KAFKA_SASL_PASSWORD" in known


def test_everything_that_keeps_data_is_encrypted_and_kept_when_it_should_be(files: dict[str, Any]) -> None:
    modules = {name: content for name, content in files.items() if name.startswith("modules/")}
    kept = {
        f"{kind}.{name}": body
        for content in modules.values()
        for block in content.get("resource", [])
        for kind, named in block.items()
        for name, body in named.items()
    }
    assert kept["aws_rds_cluster.this"]["storage_encrypted"] is True
    assert kept["aws_elasticache_replication_group.this"]["at_rest_encryption_enabled"] is True
    assert kept["aws_s3_bucket_versioning.this"]["versioning_configuration"] == [{"status": "Enabled"}]
    assert files["environments/production.tfvars"]["database"]["protected"] is True
