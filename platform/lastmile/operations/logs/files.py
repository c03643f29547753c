"""The files that the processes of an installation log into, read once, and from there on what is added."""

from collections.abc import Iterator
from pathlib import Path

from lastmile.operations.logs.line import Line, Wanted
from lastmile.telemetry.log_files import all_of


class LogFiles:
    """The files of the folder; a renamed one is known to be the same."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[int, int] = {}

    def new_lines(self, wanted: Wanted) -> list[Line]:
        """Those wanted that were added since the last call, in the order of their times."""
        found = (line for path in all_of(self._folder) for line in self._added(path, wanted))
        return sorted((line for line in found if wanted.has(line)), key=lambda line: line.at)

    def _added(self, path: Path, wanted: Wanted) -> Iterator[Line]:
        try:
            with path.open("rb") as file:
                number = path.stat().st_ino
                file.seek(self._read.get(number, 0))
                for raw in file:
                    if not raw.endswith(b"\n"):
                        break  # it is being written
                    self._read[number] = self._read.get(number, 0) + len(raw)
                    text = raw.decode(errors="replace")
                    if wanted.may_have(text) and (line := Line.read(text)):
                        yield line
        except FileNotFoundError:  # renamed meanwhile, and read under its new name the next time
            return
