"""The programs that know charts, images, Terraform and workflows; what needs one is skipped where it is missing."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from checkout import PROJECT

DEPLOY = PROJECT / "platform" / "deploy"
CHECKS = DEPLOY / "checks"
#: Nothing is looked up elsewhere, and no colours are printed.
_QUIET = {"NO_COLOR": "1", "BC_SKIP_MAPPING": "TRUE", "CHECKOV_RUN_SECRETS_WITHOUT_PLATFORM": "false"}


def run(*words: str | Path, environment: str = ".venv", code: int | None = 0) -> str:
    """What a program of that environment of the tools prints. Fails the test where it exits with another code."""
    program = CHECKS / environment / "bin" / words[0]
    if not program.exists():
        pytest.skip(f"{words[0]} is not installed: `make deploy-checks` installs it")
    return _run([program, *words[1:]], code)


def run_installed(*words: str | Path) -> str:
    """The same for a program of the machine."""
    if shutil.which(str(words[0])) is None:
        pytest.skip(f"this machine has no {words[0]}")
    return _run(words, 0)


def _run(words: "list[str | Path] | tuple[str | Path, ...]", code: int | None) -> str:
    variables = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    done = subprocess.run(
        words, cwd=PROJECT, env=variables | _QUIET, capture_output=True, text=True, timeout=600, check=False
    )
    said = f"{done.stdout}\n{done.stderr}"
    assert code is None or done.returncode == code, said
    return done.stdout if code == 0 else said
