"""Finds uv, the installer, or fetches the one that the lock file names; prints its path.

The first step on a machine that has Python and nothing else, so it needs only the standard library: neither pip nor
venv nor ensurepip, which some distributions leave out. What is fetched must have the hash that the lock file states.
"""

import os
import sys

if sys.version_info < (3, 11):  # noqa: UP036  # older ones get here, and cannot read what follows
    sys.exit(
        f"Lastmile needs Python 3.11 or newer; {sys.executable} is {sys.version.split()[0]}."
        " Install a newer one, and name it if it is not python3: make run PYTHON=python3.12"
    )

import hashlib
import io
import platform
import shutil
import subprocess
import tomllib
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
FOLDER = PROJECT / ".uv"
#: Older ones do not read this project's lock file or dependency groups.
OLDEST = (0, 9)


def main() -> None:
    locked = locked_uv(PROJECT / "uv.lock")
    for found in (shutil.which("uv"), FOLDER / "bin" / "uv", FOLDER / "venv" / "bin" / "uv"):
        if found and version_of(found) >= OLDEST:
            print(found)
            return
    print(f"fetching uv {locked['version']}, the installer, into {FOLDER}", file=sys.stderr)
    try:
        print(download(locked))
    except (OSError, ValueError) as error:
        print(f"that failed ({error}); trying pip", file=sys.stderr)
        print(install_with_pip(locked))


def locked_uv(lock: Path) -> dict[str, Any]:
    """The lock file's entry for uv: `version`, and `wheels` with `url` and `hash` (`sha256:...`)."""
    packages: list[dict[str, Any]] = tomllib.loads(lock.read_text())["package"]
    return next(package for package in packages if package["name"] == "uv")


def version_of(program: str | Path) -> tuple[int, ...]:
    """Such as (0, 13, 8); empty where it is no program that runs."""
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
        return tuple(int(part) for part in said.split()[1].split("."))
    except (OSError, subprocess.CalledProcessError, IndexError, ValueError):
        return ()


def wheel_for(locked: dict[str, Any], system: str, machine: str, libc: str) -> dict[str, str]:
    """The wheel for what `platform` calls this `system` (Linux, Darwin), `machine` (x86_64, aarch64, arm64) and `libc`.

    Raises ValueError where there is none.
    """
    kind = "macosx" if system == "Darwin" else "manylinux" if libc == "glibc" else "musllinux"
    names = {str(wheel["url"]).rpartition("/")[2]: dict(wheel) for wheel in locked["wheels"]}
    for name in sorted(names):  # the one for the oldest systems first
        tags = name.rpartition("-")[2].removesuffix(".whl").split(".")
        if any(tag.startswith(kind) and tag.endswith(f"_{machine}") for tag in tags):
            return names[name]
    raise ValueError(f"no uv for {system} on {machine}: see https://docs.astral.sh/uv/getting-started/installation")


def download(locked: dict[str, Any]) -> Path:
    """Take the program out of the wheel. Raises OSError, or ValueError where the bytes are not the locked ones."""
    wheel = wheel_for(locked, platform.system(), platform.machine(), platform.libc_ver()[0])
    with urllib.request.urlopen(wheel["url"], timeout=60) as answer:  # noqa: S310  # an address from the lock file
        body = answer.read()
    found = f"sha256:{hashlib.sha256(body).hexdigest()}"
    if found != wheel["hash"]:
        raise ValueError(f"{wheel['url']} has {found}, and uv.lock says {wheel['hash']}")
    program = FOLDER / "bin" / "uv"
    program.parent.mkdir(parents=True, exist_ok=True)
    partial = program.with_name(f"uv.{os.getpid()}")
    partial.write_bytes(zipfile.ZipFile(io.BytesIO(body)).read(f"uv-{locked['version']}.data/scripts/uv"))
    partial.chmod(0o755)
    return partial.replace(program)


def install_with_pip(locked: dict[str, Any]) -> Path:
    """Where Python itself cannot download, as on macOS without its certificates; pip brings its own."""
    hashes = " ".join(f"--hash={wheel['hash']}" for wheel in locked["wheels"])
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "requirements.txt").write_text(f"uv=={locked['version']} {hashes}\n")
    pip = [f"{FOLDER}/venv/bin/python", "-m", "pip", "--disable-pip-version-check", "--quiet"]
    install = [*pip, "install", "-r", f"{FOLDER}/requirements.txt"]
    try:
        for command in ([sys.executable, "-m", "venv", f"{FOLDER}/venv"], install):
            subprocess.run(command, check=True, stdout=sys.stderr)
    except (OSError, subprocess.CalledProcessError):
        sys.exit(
            "uv, the installer, could be fetched neither directly nor with pip: check the network, or install it as"
            " https://docs.astral.sh/uv/getting-started/installation says, and run this again"
        )
    return FOLDER / "venv" / "bin" / "uv"


if __name__ == "__main__":
    main()
