"""The Dockerfiles and scripts, as they stand; `make images` builds and runs the images."""

import re

import pytest
from deploy.tools import DEPLOY, run

DOCKERFILES = sorted((DEPLOY / "images").glob("*.Dockerfile"))
SCRIPTS = sorted([DEPLOY / "secrets.sh", *(DEPLOY / "images").glob("*.sh")])


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.stem)
def test_hadolint_finds_nothing(file) -> None:
    assert run("hadolint", file).strip() == ""


@pytest.mark.parametrize("file", SCRIPTS, ids=lambda file: file.name)
def test_shellcheck_finds_nothing(file) -> None:
    assert run("shellcheck", file).strip() == ""


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.stem)
def test_an_image_is_on_a_base_of_a_digest_and_runs_as_no_root_under_a_number(file) -> None:
    text = file.read_text()
    assert re.search(r"^ARG BASE_IMAGE=\S+@sha256:[0-9a-f]{64}$", text, re.MULTILINE)
    assert re.findall(r"^FROM (\S+)", text, re.MULTILINE) == ["${BASE_IMAGE}"] * 2, "built in a stage of its own"
    assert text.rpartition("\nFROM ")[2].count("USER 10001:10001\n") == 1
    assert "--locked" in (DEPLOY / "images" / "install.sh").read_text()
