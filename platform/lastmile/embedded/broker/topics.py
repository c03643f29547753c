"""Topics: a folder each, with what it was made with and a folder per partition."""

import json
import re
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

from lastmile.embedded.broker import durable
from lastmile.embedded.broker.errors import Code, Refused
from lastmile.embedded.broker.partition import Partition

#: Of topics that are made by writing to them.
DEFAULT_PARTITIONS = 4
MOST_PARTITIONS = 1000
DEFAULTS = {
    "cleanup.policy": "delete",
    "retention.ms": str(7 * 24 * 3600 * 1000),
    "retention.bytes": "-1",
    "max.message.bytes": str(16 * 1024 * 1024),
}
_NAME = re.compile(r"[A-Za-z0-9._-]{1,249}")
_MADE_WITH = "topic.json"


class Topic:
    """Its `configs` are those that were given when it was made."""

    def __init__(self, folder: Path) -> None:
        made_with = json.loads((folder / _MADE_WITH).read_text())
        self.name, self._folder = folder.name, folder
        self.configs: dict[str, str] = made_with["configs"]
        self.partitions = [Partition(folder / str(number)) for number in range(made_with["partitions"])]

    @property
    def most_bytes(self) -> int:
        return int(self.config("max.message.bytes"))

    def config(self, name: str) -> str:
        return self.configs.get(name, DEFAULTS[name])

    def widen(self, partitions: int) -> None:
        """Add partitions. Raises Refused where that are not more than there are."""
        if not len(self.partitions) < partitions <= MOST_PARTITIONS:
            raise Refused(Code.INVALID_PARTITIONS, f"the topic has {len(self.partitions)} partitions")
        _write(self._folder, partitions, self.configs)
        added = range(len(self.partitions), partitions)
        self.partitions += [Partition(self._folder / str(number)) for number in added]

    def retain(self) -> None:
        """Delete what is past its retention."""
        kept = int(self.config("retention.ms"))
        oldest = int(time.time() * 1000) - kept if kept >= 0 else 0
        for partition in self.partitions:
            partition.retain(oldest, int(self.config("retention.bytes")))

    def close(self) -> None:
        for partition in self.partitions:
            partition.close()


class Topics:
    """All topics of the broker, in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._topics = {file.parent.name: Topic(file.parent) for file in folder.glob(f"*/{_MADE_WITH}")}

    def all(self) -> list[Topic]:
        return sorted(self._topics.values(), key=lambda topic: topic.name)

    def find(self, name: str) -> Topic | None:
        return self._topics.get(name)

    def partition(self, name: str, number: int) -> tuple[Topic, Partition]:
        """Raises Refused where there is no such partition."""
        topic = self._topics.get(name)
        if topic is None or not 0 <= number < len(topic.partitions):
            raise Refused(Code.UNKNOWN_TOPIC_OR_PARTITION)
        return topic, topic.partitions[number]

    def create(self, name: str, partitions: int, configs: Mapping[str, str], only_check: bool = False) -> None:
        """Make a topic. Raises Refused where it cannot be."""
        if not _NAME.fullmatch(name) or name in (".", ".."):
            raise Refused(Code.INVALID_TOPIC_EXCEPTION, "a topic's name has letters, digits, '.', '_' and '-' only")
        if name in self._topics:
            raise Refused(Code.TOPIC_ALREADY_EXISTS, f"topic {name} already exists")
        count = DEFAULT_PARTITIONS if partitions == -1 else partitions
        if not 1 <= count <= MOST_PARTITIONS:
            raise Refused(Code.INVALID_PARTITIONS, f"expected 1 to {MOST_PARTITIONS} partitions")
        _check(configs)
        if not only_check:
            folder = self._folder / name
            folder.mkdir(exist_ok=True)
            _write(folder, count, configs)
            self._topics[name] = Topic(folder)

    def delete(self, name: str) -> None:
        """Raises Refused where there is no such topic."""
        topic = self._topics.pop(name, None)
        if topic is None:
            raise Refused(Code.UNKNOWN_TOPIC_OR_PARTITION)
        topic.close()
        (self._folder / name / _MADE_WITH).unlink()  # first: without it what is left is no topic
        shutil.rmtree(self._folder / name, ignore_errors=True)

    def close(self) -> None:
        for topic in self._topics.values():
            topic.close()


def _check(configs: Mapping[str, str]) -> None:
    for name, value in configs.items():
        if name == "cleanup.policy" and value != "delete":
            raise Refused(Code.INVALID_CONFIG, "this broker has no compaction: cleanup.policy is delete")
        if name in DEFAULTS and name != "cleanup.policy" and not re.fullmatch(r"-?\d{1,18}", value):
            raise Refused(Code.INVALID_CONFIG, f"{name} is {value!r}: expected a number")


def _write(folder: Path, partitions: int, configs: Mapping[str, str]) -> None:
    durable.write(folder / _MADE_WITH, json.dumps({"partitions": partitions, "configs": dict(configs)}))
    durable.sync_folder(folder.parent)
