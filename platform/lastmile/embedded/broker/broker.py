"""What one broker has: its address, topics, groups, offsets, and the numbers it gives to producers."""

import fcntl
import uuid
from pathlib import Path

from lastmile.embedded.broker.flushing import Flushing
from lastmile.embedded.broker.groups import Groups
from lastmile.embedded.broker.offsets import Offsets
from lastmile.embedded.broker.topics import Topics
from lastmile.errors import UserError

NODE = 1


class Broker:
    """A broker on the files in `folder`, reached at `host` and `port`. Raises UserError where another one is."""

    def __init__(self, folder: Path, host: str, port: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = (folder / "lock").open("a")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"another Kafka broker runs on {folder}; stop it first with `lastmile down`") from None
        self.host, self.port, self._folder = host, port, folder
        self.cluster = self._cluster()
        self.topics = Topics(folder / "topics")
        self.groups, self.offsets, self.flushing = Groups(), Offsets(folder / "offsets.jsonl"), Flushing()

    def new_producer(self) -> int:
        """A number that no producer has had."""
        file = self._folder / "producers"
        number = int(file.read_text()) + 1 if file.exists() else 1
        partial = file.with_suffix(".partial")
        partial.write_text(str(number))
        partial.replace(file)
        return number

    def close(self) -> None:
        self.offsets.close()
        self.topics.close()

    def _cluster(self) -> str:
        file = self._folder / "cluster"
        if not file.exists():
            file.write_text(f"lastmile-{uuid.uuid4()}")
        return file.read_text()
