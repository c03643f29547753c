"""A declaration that cannot be used: which file, where in it, and why, in a sentence. It costs itself alone.

The code server publishes what it found when it loaded the code, for commands to show: to load it once more would cost
them seconds.
"""

import json
import os
import re
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

_PUBLISHED = "broken.json"
_NAME = re.compile(r"""\bname\s*=\s*["']([^"']+)["']""")


@dataclass(frozen=True)
class Broken:
    """`file` is relative to the project; `names` are those that it may have declared, as far as can be seen."""

    kind: str
    file: str
    why: str
    traceback: str = ""
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind} {self.file} is left out: {self.why}"


class Declarations(dict[str, T]):
    """What files of a kind declare, by name; which files those are, and the files that could not be used."""

    def __init__(self) -> None:
        super().__init__()
        self.files: dict[str, str] = {}
        self.broken: list[Broken] = []


def broken_by(kind: str, file: Path, root: Path, error: BaseException) -> Broken:
    """What an error says about a file below `root`, the folder of the project."""
    text = "".join(traceback.format_exception(error))
    where, why = _place(file, root, error), _sentence(error)
    return Broken(kind, _relative(file, root), f"{where}{why}", text, _names(file))


def publish(home: Path, broken: Sequence[Broken]) -> None:
    """Leave them in the home of the installation, whole or not at all; where nothing can be written, not at all."""
    with suppress(OSError):
        home.mkdir(parents=True, exist_ok=True)
        partial = home / f".{_PUBLISHED}.{os.getpid()}"
        partial.write_text(json.dumps([asdict(one) for one in broken]))
        partial.replace(home / _PUBLISHED)


def published(home: Path) -> list[Broken]:
    """What the process that last loaded the code left there; nothing where none did."""
    try:
        found = json.loads((home / _PUBLISHED).read_text())
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [Broken(**{**one, "names": tuple(one["names"])}) for one in found]


def _sentence(error: BaseException) -> str:
    said = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{type(error).__name__}: {' '.join(said.split())}" if said else type(error).__name__


def _place(file: Path, root: Path, error: BaseException) -> str:
    """The line that raised, in this file or in another one of the project that it uses."""
    if isinstance(error, SyntaxError) and error.filename:
        at, line = Path(error.filename), error.lineno
    else:
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if _is_of_project(Path(frame.filename), root)]
        if not own:
            return ""
        at, line = Path(own[-1].filename), own[-1].lineno
    return f"line {line}: " if at == file else f"{_relative(at, root)}, line {line}: "


def _is_of_project(file: Path, root: Path) -> bool:
    return file.is_relative_to(root) and not file.is_relative_to(sys.prefix) and "lastmile" not in file.parts[-3:-1]


def _relative(file: Path, root: Path) -> str:
    return str(file.relative_to(root) if file.is_relative_to(root) else file)


def _names(file: Path) -> tuple[str, ...]:
    try:
        text = file.read_text()
    except (OSError, UnicodeDecodeError):
        text = ""
    return tuple(dict.fromkeys([file.stem, *_NAME.findall(text)]))
