"""The first records of a source, to draft a contract from."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from lastmile.ingestion.draft import draft, open_file
from lastmile.sources.declarations.source import Source
from lastmile.sources.fetching import Progress, Report, Task, fetched
from lastmile.sources.landing import key_of_all

_RECORDS = 10_000


def drafted(source: Source, dataset: str, progress: Progress, most: int = _RECORDS) -> str:
    """The text of a contract, as `lastmile.ingestion.draft` makes it, whose partitions are the days of the fetch."""
    with TemporaryDirectory(prefix="lastmile-source-") as folder:
        found = fetched(source, Task(folder=Path(folder), most=most, report=Report(progress)))
        name = key_of_all(source.name, dataset, f"{datetime.now(UTC):%Y-%m-%d}", found.suffix)
        return draft([replace(open_file(found.file), name=name)], dataset)
