"""What the platform uses and holds, sampled through the day."""

import json
import time
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
import psycopg
from end_to_end.installation import Installation
from endurance.kills import kind_of, processes
from endurance.repeating import Repeating

from lastmile.embedded import postgres

_NUMBERS = {
    "connections": "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'",
    "database_bytes": "SELECT pg_database_size(current_database())",
    "dagster_bytes": "SELECT sum(pg_total_relation_size(oid)) FROM pg_class"
    " WHERE relnamespace = 'dagster'::regnamespace AND relkind = 'r'",
    "events": "SELECT count(*) FROM dagster.event_logs",
    "runs": "SELECT count(*) FROM dagster.runs",
    "rows": "SELECT count(*) FROM raw.lstk",
    "waiting": "SELECT coalesce(sum(waiting + claimed), 0) FROM ledger.backlog",
    "oldest_run_seconds": "SELECT coalesce(max(extract(epoch FROM now() AT TIME ZONE 'UTC' - create_timestamp)), 0)"
    " FROM dagster.runs WHERE status NOT IN ('SUCCESS', 'FAILURE', 'CANCELED')",
}


@dataclass(frozen=True)
class Sample:
    """`memory` in bytes and `files` open, by kind of process; `numbers` of the database, where it answered."""

    seconds: float
    memory: dict[str, int]
    files: dict[str, int]
    numbers: dict[str, float]


class Measuring:
    """Samples every `seconds` until `stop`; each is a line of `file` at once."""

    def __init__(self, platform: Installation, file: Path, seconds: float) -> None:
        self._platform, self._file = platform, file
        self.samples: list[Sample] = []
        self._since = time.monotonic()
        self._file.write_text("")
        repeating = Repeating(self._note, lambda: seconds)
        self.start, self.stop = repeating.start, repeating.stop

    def _note(self) -> None:
        sample = self._sample()
        self.samples.append(sample)
        with self._file.open("a") as lines:
            lines.write(json.dumps(asdict(sample)) + "\n")

    def _sample(self) -> Sample:
        memory: dict[str, int] = defaultdict(int)
        files: dict[str, int] = defaultdict(int)
        for process in processes(self._platform):
            try:
                kind, held = kind_of(process), process.memory_info()
                # A page that the server's processes share would be counted for each of them.
                memory[kind] += held.rss - (held.shared if kind == "postgres" else 0)
                files[kind] += process.num_fds()
            except psutil.Error:
                continue
        return Sample(round(time.monotonic() - self._since, 1), dict(memory), dict(files), numbers(self._platform))


def numbers(platform: Installation) -> dict[str, float]:
    """Of the database; empty where it does not answer."""
    try:
        url = postgres.running(platform.home / "postgres")
        with psycopg.connect(url or "", autocommit=True, connect_timeout=5) as connection:
            return {name: float((connection.execute(query).fetchone() or (0,))[0]) for name, query in _NUMBERS.items()}
    except psycopg.OperationalError:
        return {}
