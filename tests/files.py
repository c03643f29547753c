"""A small contract, and a drop's content read whole under it: what the tests of reading look at."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from declaring import dataset

from lastmile.contracts import Contract, column
from lastmile.ingestion.batch import BrokenRecord, RawBatch
from lastmile.ingestion.readers import Reader, open_drop


def requiring(
    *required: str, optional: tuple[str, ...] = ("note",), encodings: tuple[str, ...] = ("cp1252",)
) -> Contract:
    """A contract of text columns."""
    columns = {name: column(str, "Must be there.", required=True) for name in required}
    return dataset(
        columns=columns | {name: column(str, "May be there.") for name in optional},
        encodings=encodings,
    )


VISITS = requiring("id", optional=("note",))


@dataclass
class Content:
    """Everything a reader gave."""

    format: dict[str, str | int]
    header: list[str]
    rows: list[tuple[str | None, ...]]
    lines: list[int]
    raw: list[str]
    broken: list[BrokenRecord]

    @property
    def reasons(self) -> dict[int, str]:
        """Why a record is broken, by its line."""
        return {record.line: record.reason for record in self.broken}


def content(reader: Reader, rows: int = 50_000) -> Content:
    found = Content(reader.format, reader.header, [], [], [], [])
    for batch in checked(reader, rows):
        found.rows += batch.frame.rows()
        found.lines += batch.lines.to_list()
        found.raw += batch.raw(range(batch.frame.height))
        found.broken += batch.broken
    return found


def checked(reader: Reader, rows: int) -> Iterator[RawBatch]:
    """The batches, each with what must hold for any."""
    for batch in reader.batches(rows):
        assert batch.frame.columns == reader.header
        assert all(str(dtype) == "String" for dtype in batch.frame.dtypes)
        assert batch.lines.len() == batch.frame.height
        assert batch.lines.is_sorted()
        assert batch.records <= rows
        yield batch


def read(
    folder: Path, data: bytes | str, name: str = "visits.csv", contract: Contract = VISITS, rows: int = 50_000
) -> Content:
    """What a drop of this name and content is read as."""
    path = folder / "dropped"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return content(open_drop(path, name, contract), rows)


def refusal(
    folder: Path, data: bytes | str, name: str = "visits.csv", contract: Contract = VISITS, of: type = Exception
) -> str:
    """The message with which the drop is refused."""
    with pytest.raises(of) as refused:
        read(folder, data, name, contract)
    return str(refused.value)
