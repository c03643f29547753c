"""A throw-away environment for each peer, with what its script declares, from the package registry.

They lie in `benchmarks/results/environments`, one for each set of packages, and may be deleted at any time.
"""

import hashlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from benchmarks.measuring import Failed, last_line
from benchmarks.results import FOLDER

#: Inline script metadata, as the packaging guide specifies it.
_BLOCK = re.compile(r"(?m)^# /// script\n((?:#.*\n)+)# ///$")


def python_for(script: Path) -> Path:
    """The interpreter that has what the script declares, installed now if need be. Raises Failed where it cannot be."""
    packages = declared(script)
    digest = hashlib.sha256("\n".join([sys.version, *packages]).encode()).hexdigest()[:8]
    folder = FOLDER / "environments" / f"{script.stem}-{digest}"
    done = folder / "installed"
    if not done.exists():
        _uv("venv", "--clear", "--python", sys.executable, str(folder))
        _uv("pip", "install", "--compile-bytecode", "--python", str(folder / "bin" / "python"), *packages)
        done.touch()
    return folder / "bin" / "python"


def uninstallable(scripts: Mapping[str, Path], console: Console) -> dict[str, str]:
    """Install what each script declares; by its name, why that was not possible."""
    why = {}
    for name, script in scripts.items():
        with console.status(f"installing {name}"):
            try:
                python_for(script)
            except Failed as failed:
                why[name] = str(failed)
    return why


def declared(script: Path) -> list[str]:
    found = _BLOCK.search(script.read_text())
    if found is None:
        raise ValueError(f"{script} declares no dependencies")
    body = "".join(line.removeprefix("#").removeprefix(" ") for line in found[1].splitlines(keepends=True))
    return list(tomllib.loads(body)["dependencies"])


def _uv(*words: str) -> None:
    from uv import find_uv_bin

    done = subprocess.run([find_uv_bin(), "--quiet", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"cannot be installed: {last_line(done.stderr)}")
