"""The client's own wheel: in an environment with httpx and nothing of the platform, and over the platform's."""

import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from bad_line import BadLine
from checkout import PROJECT
from packaging.requirements import Requirement
from serving.client.conftest import arrived
from visits import Site

CLIENT = PROJECT / "platform" / "client"


def packages_of(name: str, found: set[str] | None = None) -> set[str]:
    """The distribution and all that it requires here."""
    found = set() if found is None else found
    if name not in found:
        found.add(name)
        for line in metadata.requires(name) or ():
            required = Requirement(line)
            if required.marker is None or required.marker.evaluate({"extra": ""}):
                packages_of(required.name, found)
    return found


def lend(distribution: str, site: Path) -> None:
    """Copy an installed distribution."""
    for file in metadata.files(distribution) or ():
        if file.parts[0] not in ("..", "__pycache__"):
            target = site / str(file)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(str(file.locate()), target)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder]
    subprocess.run(build, cwd=CLIENT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the wheel, and httpx with what that requires."""
    folder = tmp_path_factory.mktemp("device")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    for distribution in packages_of("httpx"):
        lend(distribution, site)
    python = folder / "bin" / "python"
    uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--offline", "--python", python, wheel]
    subprocess.run(uv, check=True, capture_output=True)
    return python


def test_where_only_httpx_is_it_sends_a_record(
    python: Path, line: BadLine, key: str, site: Site, tmp_path: Path
) -> None:
    script = (
        "import importlib.util as u, sys; from pathlib import Path; from lastmile.client import Client\n"
        "client = Client(sys.argv[1], sys.argv[2], Path('queue.db'))\n"
        "client.submit('visits', {'visit': 'v1', 'persons': 3}, '2020')\n"
        "print(client.send(max_seconds=20).accepted, u.find_spec('lastmile.serving'))\n"
    )
    command = [python, "-c", script, line.url, key]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["1", "None"], done.stderr
    assert len(arrived(site)) == 1


def test_its_command_says_how_it_is_used(python: Path, tmp_path: Path) -> None:
    for command in ([python, "-m", "lastmile.client"], [python.with_name("lastmile-client")]):
        done = subprocess.run([*command, "--help"], cwd=tmp_path, capture_output=True, text=True, check=True)
        assert "example:" in done.stdout


def test_both_wheels_hold_the_same_files_where_they_hold_the_same_names(wheel: Path, tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", tmp_path]
    subprocess.run(build, cwd=PROJECT, check=True, capture_output=True)
    (platform,) = tmp_path.glob("*.whl")
    shutil.unpack_archive(wheel, tmp_path / "client", "zip")
    shutil.unpack_archive(platform, tmp_path / "platform", "zip")
    files = [file.relative_to(tmp_path / "client") for file in (tmp_path / "client" / "lastmile").rglob("*.*")]
    assert Path("lastmile/client/client.py") in files
    for file in files:
        assert (tmp_path / "client" / file).read_bytes() == (tmp_path / "platform" / file).read_bytes()
