"""The first step on a fresh machine: the right program, and only with the bytes that the lock file states."""

import hashlib
import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from checkout import PROJECT

SCRIPT = PROJECT / "platform" / "deploy" / "fetch_uv.py"


@pytest.fixture
def fetch_uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("fetch_uv", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "FOLDER", tmp_path / ".uv")
    return module


@pytest.mark.parametrize(
    ("system", "machine", "libc", "tag"),
    [
        ("Linux", "x86_64", "glibc", "manylinux_2_17_x86_64"),
        ("Linux", "aarch64", "glibc", "manylinux_2_17_aarch64"),
        ("Linux", "x86_64", "", "musllinux_1_1_x86_64"),
        ("Linux", "aarch64", "", "musllinux_1_1_aarch64"),
        ("Darwin", "x86_64", "", "macosx_10_12_x86_64"),
        ("Darwin", "arm64", "", "macosx_11_0_arm64"),
    ],
)
def test_every_machine_gets_its_own_program(
    fetch_uv: ModuleType, system: str, machine: str, libc: str, tag: str
) -> None:
    locked = fetch_uv.locked_uv(PROJECT / "uv.lock")
    assert tag in fetch_uv.wheel_for(locked, system, machine, libc)["url"]


def test_a_machine_that_uv_does_not_know_is_told(fetch_uv: ModuleType) -> None:
    with pytest.raises(ValueError, match="no uv for Linux on vax"):
        fetch_uv.wheel_for(fetch_uv.locked_uv(PROJECT / "uv.lock"), "Linux", "vax", "glibc")


def locked(wheel: Path, fetch_uv: ModuleType, digest: str) -> dict[str, Any]:
    everywhere = [
        f"{kind}_{fetch_uv.platform.machine()}" for kind in ("manylinux_2_17", "musllinux_1_1", "macosx_11_0")
    ]
    target = wheel.rename(wheel.with_name(f"uv-9.9.9-py3-none-{'.'.join(everywhere)}.whl"))
    return {"version": "9.9.9", "wheels": [{"url": target.as_uri(), "hash": f"sha256:{digest}"}]}


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    with zipfile.ZipFile(tmp_path / "wheel", "w") as archive:
        archive.writestr("uv-9.9.9.data/scripts/uv", "#!/bin/sh\necho uv 9.9.9\n")
    return tmp_path / "wheel"


def test_the_locked_bytes_become_a_program_that_runs(fetch_uv: ModuleType, wheel: Path) -> None:
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    program = fetch_uv.download(locked(wheel, fetch_uv, digest))
    assert fetch_uv.version_of(program) == (9, 9, 9)


def test_other_bytes_than_the_locked_ones_are_refused(fetch_uv: ModuleType, wheel: Path) -> None:
    with pytest.raises(ValueError, match=r"uv\.lock says sha256:00"):
        fetch_uv.download(locked(wheel, fetch_uv, "00"))
    assert not (fetch_uv.FOLDER / "bin" / "uv").exists()


def test_a_uv_that_is_there_and_new_enough_is_taken(tmp_path: Path) -> None:
    (tmp_path / "uv").write_text("#!/bin/sh\necho uv 99.0.0\n")
    (tmp_path / "uv").chmod(0o755)
    said = subprocess.run(
        [sys.executable, "-I", SCRIPT], env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == str(tmp_path / "uv")


@pytest.mark.parametrize("script", ["echo uv 0.4.0", "exit 127", "echo what"])
def test_a_uv_that_is_too_old_or_broken_is_passed_over(fetch_uv: ModuleType, tmp_path: Path, script: str) -> None:
    (tmp_path / "uv").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "uv").chmod(0o755)
    assert fetch_uv.version_of(tmp_path / "uv") < fetch_uv.OLDEST
