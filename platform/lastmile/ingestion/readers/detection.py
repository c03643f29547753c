"""Opens a drop by what it holds; its name is asked only where the content leaves a choice."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import orjson

from lastmile.contracts.contract import Contract
from lastmile.ingestion.batch import RawBatch, Reader, Refused, Unreadable
from lastmile.ingestion.readers.archive import ZIP, member
from lastmile.ingestion.readers.compression import MAGIC, blocks, compression
from lastmile.ingestion.readers.delimited.encoding import as_utf8
from lastmile.ingestion.readers.delimited.reader import open_delimited
from lastmile.ingestion.readers.excel.reader import open_excel
from lastmile.ingestion.readers.json.documents import open_json_document
from lastmile.ingestion.readers.json.lines import open_json_lines
from lastmile.ingestion.readers.parquet.reader import open_parquet
from lastmile.store import Source

BINARY = {
    b"PAR1": open_parquet,
    b"PARE": open_parquet,
    **dict.fromkeys(ZIP, open_excel),
    b"\xd0\xcf\x11\xe0": open_excel,
}
JSON_SUFFIXES, JSON_LINES_SUFFIXES = (".json", ".geojson"), (".jsonl", ".ndjson", ".jsonlines")
#: So many NUL bytes at the start of a file are a hole in it: no encoding of text begins so.
HOLE = bytes(1024)
COMPRESSED_SUFFIXES = (".gz", ".zst", ".bz2", ".xz", ".zip")


def open_drop(path: Source, name: str, contract: Contract) -> Reader:
    """A reader of the file at `path`; `name` is the one it was dropped under.

    Raises Refused where the file as a whole does not fit the contract or has two readings, Unreadable where its bytes
    cannot be parsed. Either may also be raised from `batches()`, for a fault further down.
    """
    return _with_rows_bounded(_open(path, name, contract), contract)


def _open(path: Source, name: str, contract: Contract) -> Reader:
    found: dict[str, str | int] = {}
    compressed = compression(path)
    if compressed is not None:
        found["compression"] = compressed
    if compressed == "zip":
        with path.open("rb") as file:
            found["member"] = name = member(file).filename
    start = next(blocks(path, contract.limits), b"")
    opened = next((opened for magic, opened in BINARY.items() if start.startswith(magic)), None)
    if compressed is not None and start.startswith(tuple(MAGIC.values())):
        raise Refused(f"expected text inside {compressed}, found a compressed file again. Compress it once.")
    if opened is None:
        return _open_text(path, _suffix(name), contract, found)
    if compressed is not None:
        raise Refused(
            f"expected text inside {compressed}, found a workbook, Parquet file or archive. Send it unpacked."
        )
    return opened(path if isinstance(path, Path) else path.path, contract, found)


def _with_rows_bounded(reader: Reader, contract: Contract) -> Reader:
    most = contract.limits.rows

    def produce(rows: int) -> Iterator[RawBatch]:
        read = 0
        for batch in reader.produce(rows):
            read += batch.records
            if read > most:
                raise Refused(
                    f"expected at most {most:,} rows, found more. Send smaller files, or raise limits.rows in the "
                    "contract if this is meant."
                )
            yield batch

    return replace(reader, produce=produce)


def _suffix(name: str) -> str:
    """The last suffix that says what is in the file, in lower case."""
    suffixes = [suffix.lower() for suffix in Path(name).suffixes]
    return next((suffix for suffix in reversed(suffixes) if suffix not in COMPRESSED_SUFFIXES), "")


def _open_text(path: Source, suffix: str, contract: Contract, found: dict[str, str | int]) -> Reader:
    text = _start(as_utf8(blocks(path, contract.limits), contract.format.encodings, {}))
    named_json = suffix in (*JSON_SUFFIXES, *JSON_LINES_SUFFIXES)
    looks_json = text.startswith((b"{", b"[")) or (named_json and not text)
    if not looks_json and not named_json:
        return open_delimited(path, contract, found)
    if looks_json and named_json:
        return _open_json(path, suffix, contract, found, text)
    try:
        return open_delimited(path, contract, found)
    except Refused:
        if not looks_json:
            raise Unreadable(
                f"expected JSON after its name, with {{ or [ first; it starts {text[:40]!r}. If it is CSV, name it so."
            ) from None
        return _open_json(path, suffix, contract, found, text)


def _start(blocks: Iterator[bytes]) -> bytes:
    """The first block of text that is more than blanks, from its first character on; empty where all of it is blank.

    Raises Unreadable for a file that begins with NUL bytes, as one does whose start was never written.
    """
    text = next((text for block in blocks if (text := block.lstrip())), b"")
    if text.startswith(HOLE):
        raise Unreadable(
            f"expected text, found {len(HOLE):,} NUL bytes or more first, as where a file was cut, or its disk full, "
            "while it was written. Send the file again."
        )
    return text


def _open_json(path: Source, suffix: str, contract: Contract, found: dict[str, str | int], start: bytes) -> Reader:
    is_lines = _is_lines(start, suffix in JSON_LINES_SUFFIXES)
    return (open_json_lines if is_lines else open_json_document)(path, contract, found)


def _is_lines(start: bytes, named_lines: bool) -> bool:
    """Whether each line is a value of its own. A single line may be either, and so goes by the name."""
    lines = [line.strip() for line in start.split(b"\n") if line.strip()]
    if named_lines or len(lines) < 2:
        return named_lines
    first, second = lines[:2]
    return _is_complete(first) or (len(first) > 1 and first.startswith(b"{") and second.startswith(b"{"))


def _is_complete(line: bytes) -> bool:
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True
