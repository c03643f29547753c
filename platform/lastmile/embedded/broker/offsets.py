"""The offsets that groups commit: a line of a file each, the last of a partition counts."""

import json
import os
from pathlib import Path
from typing import NamedTuple, TextIO

#: The file is written anew once it has so many lines more than there are offsets.
_SUPERSEDED = 10_000


class Committed(NamedTuple):
    offset: int
    leader_epoch: int
    metadata: str


NONE = Committed(-1, -1, "")


class Offsets:
    """Offsets by group, topic and partition."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._groups: dict[str, dict[tuple[str, int], Committed]] = {}
        self._lines = 0
        for line in file.read_text().splitlines() if file.exists() else []:
            try:
                group, topic, partition, *committed = json.loads(line)
            except ValueError:
                continue  # the last line, of a process that was killed while it wrote it
            self._groups.setdefault(group, {})[topic, partition] = Committed(*committed)
        self._open = self._rewritten()

    def commit(self, group: str, offsets: dict[tuple[str, int], Committed]) -> None:
        """Remember them, also beyond a death of the process."""
        self._groups.setdefault(group, {}).update(offsets)
        for (topic, partition), committed in offsets.items():
            self._open.write(json.dumps([group, topic, partition, *committed]) + "\n")
        self._open.flush()
        self._lines += len(offsets)
        if self._lines > _SUPERSEDED + sum(map(len, self._groups.values())):
            self._open.close()
            self._open = self._rewritten()

    def of(self, group: str) -> dict[tuple[str, int], Committed]:
        return self._groups.get(group, {})

    def groups(self) -> list[str]:
        return list(self._groups)

    def forget(self, topic: str) -> None:
        """Of a topic that is deleted: one of the same name begins anew."""
        for group, offsets in self._groups.items():
            self._groups[group] = {place: one for place, one in offsets.items() if place[0] != topic}
        self._open.close()
        self._open = self._rewritten()

    def close(self) -> None:
        self._open.flush()
        os.fsync(self._open.fileno())
        self._open.close()

    def _rewritten(self) -> TextIO:
        partial = self._file.with_suffix(".partial")
        with partial.open("w") as file:
            for group, offsets in self._groups.items():
                for (topic, partition), committed in offsets.items():
                    file.write(json.dumps([group, topic, partition, *committed]) + "\n")
        partial.replace(self._file)
        self._lines = sum(map(len, self._groups.values()))
        return self._file.open("a")
