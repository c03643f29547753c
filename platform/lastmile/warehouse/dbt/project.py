"""The dbt project made ready to run: a copy under the home with the engine's macros and the sources its contracts give,
parsed once for `prod`.

The copy is named by its content, so every process of an installation finds the same one, a run's SQL is that of the
manifest its assets were made from, homes do not disturb each other, and nothing is written into the checkout. Parsing
costs 3 CPU-s and happens only when SQL, YAML or contracts have changed; what dagster-dbt has for it, `prepare_if_dev`,
parses again in every process.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from lastmile.contracts.contract import Contract
from lastmile.errors import UserError
from lastmile.project import Project
from lastmile.settings import Settings
from lastmile.warehouse.dbt.engine_macros import INCLUDED, MACROS
from lastmile.warehouse.dbt.profile import FILE, profile
from lastmile.warehouse.dbt.sources import NONE, SOURCES, Brought, committed_tables, sources_yaml

MANIFEST = Path("target", "manifest.json")
#: dbt as installed next to this Python, whether or not its folder is on PATH.
DBT = Path(sys.executable).with_name("dbt")

_FILE = Path("dbt_project.yml")
_FOLDERS = ("macros", "models", "seeds", "snapshots")
_TARGET = "prod"
_READY = "ready"
#: Older copies may still be read by a run that started before the last change.
_KEPT = 3


def prepared(
    settings: Settings,
    contracts: Mapping[str, Contract],
    project: Path | None = None,
    without: Collection[Path] = (),
    brought: Brought = NONE,
) -> Path:
    """Folder of a copy of the dbt project, ready to run, with its manifest at `MANIFEST` in it; `without` some files.

    Raises UserError where there is no dbt project, and with dbt's own words where it does not parse.
    """
    project = project or Project.current().dbt_project
    if not (project / _FILE).is_file():
        raise UserError(f"no dbt project: expected {project / _FILE}; `lastmile init mydir` shows what belongs there")
    sources = sources_yaml(contracts, committed_tables(contracts, project), brought)
    files = {name: file for name, file in _files(project).items() if name not in without}
    folder = settings.home / "dbt" / _fingerprint(files, sources)
    if not is_ready(folder):
        with _alone(settings.home / "dbt"):
            if not is_ready(folder):
                _prepare(files, sources, folder)
    return folder


def last_prepared(settings: Settings) -> Path | None:
    """The folder of the project as it last parsed, where it ever did in this home."""
    return max(_copies(settings.home / "dbt"), key=lambda copy: copy.stat().st_mtime, default=None)


def changed_since(last: Path, project: Path) -> list[Path]:
    """The project's own files that are new, changed or gone since the copy was made."""
    now = {name: file.read_bytes() for name, file in _files(project).items() if INCLUDED not in name.parents}
    then = {name for folder in _FOLDERS for name in _below(last, last / folder) if name != SOURCES}
    differ = [name for name, body in now.items() if not (last / name).is_file() or (last / name).read_bytes() != body]
    return sorted({*differ, *(then - set(now))})


def is_ready(folder: Path) -> bool:
    """Whether a folder once returned by `prepared` is still there; those of older code are removed after a while."""
    return (folder / _READY).exists()


def _fingerprint(files: Mapping[Path, Path], sources: str) -> str:
    """Sixteen hex digits of all that parsing depends on; a profile that names another database makes dbt parse anew."""
    digest = hashlib.sha256(profile(_TARGET).encode())
    for name, file in files.items():
        digest.update(f"{name}\0".encode() + file.read_bytes())
    address = [os.environ.get(name) for name in ("PGHOST", "PGPORT", "PGUSER", "PGDATABASE")]
    digest.update(repr((sources, address, version("dbt-core"))).encode())
    return digest.hexdigest()[:16]


def _files(project: Path) -> dict[Path, Path]:
    """What the copy holds, by its place there: the project's own files and this engine's macros.

    The committed sources, the developer's profile and what dbt leaves behind are not among them.
    """
    names = [_FILE, *(name for folder in _FOLDERS for name in _below(project, project / folder))]
    own = {name: project / name for name in names if name != SOURCES}
    engine = {INCLUDED / name: MACROS / name for name in _below(MACROS, MACROS)}
    return dict(sorted((own | engine).items()))


def _below(root: Path, folder: Path) -> list[Path]:
    files = (file.relative_to(root) for file in folder.rglob("*") if file.is_file())
    return [file for file in files if not file.name.startswith(".")]


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder; the system lets go of it when the holder dies."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _prepare(files: Mapping[Path, Path], sources: str, folder: Path) -> None:
    """Copy and parse in place, because dbt keeps absolute paths; what a killed process left half done is made anew."""
    shutil.rmtree(folder, ignore_errors=True)
    for name, file in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, folder / name)
    (folder / SOURCES).parent.mkdir(parents=True, exist_ok=True)
    (folder / SOURCES).write_text(sources)
    (folder / FILE).write_text(profile(_TARGET))
    _parse(folder)
    (folder / _READY).touch()
    copies = sorted(_copies(folder.parent), key=lambda copy: copy.stat().st_mtime)
    for old in copies[:-_KEPT]:
        shutil.rmtree(old, ignore_errors=True)


def _copies(folder: Path) -> list[Path]:
    return [ready.parent for ready in folder.glob(f"*/{_READY}")]


def _parse(folder: Path) -> None:
    target = str(folder / MANIFEST.parent)
    paths = {
        "DBT_PROJECT_DIR": str(folder),
        "DBT_PROFILES_DIR": str(folder),
        "DBT_TARGET_PATH": target,
        "DBT_LOG_PATH": target,
    }
    done = subprocess.run(
        [DBT, "--no-use-colors", "--log-level-file", "none", "--quiet", "parse"],
        env={**os.environ, **paths},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise UserError(f"the dbt project does not parse:\n{done.stdout.strip()}\n{done.stderr.strip()}")
