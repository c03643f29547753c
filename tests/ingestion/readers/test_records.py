"""Any table a writer of CSV can write comes back the same, cell for cell, line for line; all else is accounted for."""

import csv
import io
from itertools import pairwise
from pathlib import Path

import pytest
from files import content, requiring
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from lastmile.ingestion.readers import compression, open_drop
from lastmile.ingestion.readers.delimited import records as places
from lastmile.ingestion.readers.delimited.records import MISQUOTED, Dialect, Records, grammar, split, walk

TRICKY = st.text(st.sampled_from("a,;\t|\"'\n\r\\é€ 𝄞"), max_size=8)
ANY = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0" + "".join(map(chr, range(0x80, 0xA0)))), max_size=6
)
TABLES = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(TRICKY | ANY, min_size=width, max_size=width), max_size=12)
)
HEADER = ["id", "note", "third", "fourth"]
DIALECTS = [
    Dialect(",", quote, escape, line_end)
    for quote in ('"', "'", "")
    for escape in (False, True)
    for line_end in "\n\r"
    if quote or not escape
]
PIECES = st.sampled_from(['"', ",", "\n", "\r\n", "\r", '""', 'a","', '"\n"', "a", "\\", "'"])


def write(table: list[list[str]], delimiter: str, quoting: int, line_end: str) -> tuple[str, list[str]]:
    """The file, and each record's text in it."""
    out, records = io.StringIO(), []
    writer = csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator=line_end)  # type: ignore[arg-type]
    for row in table:
        start = len(out.getvalue())
        writer.writerow(row)
        records.append(out.getvalue()[start : -len(line_end)])
    return out.getvalue(), records


def stands_in_apostrophes(column: tuple[str, ...]) -> bool:
    filled = [cell for cell in column if cell]
    return bool(filled) and all(len(cell) > 1 and cell[0] == cell[-1] == "'" for cell in filled)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    table=TABLES,
    delimiter=st.sampled_from(",;\t|"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    line_end=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    rows=st.integers(1, 7),
)
def test_what_a_csv_writer_wrote_is_read_back_identically(
    tmp_path: Path, table: list[list[str]], delimiter: str, quoting: int, line_end: str, encoding: str, rows: int
) -> None:
    assume(not any(map(stands_in_apostrophes, zip(*table, strict=True))))  # may be quotes or not: refused
    assume(not any("id" in cell.lower() for row in table for cell in row))  # may be a second header: refused
    assume(all(any(row) or len(row) == 1 for row in table))  # an empty line
    header = HEADER[: len(table[0]) if table else 2]
    if line_end != "\r\n" and any(set("\r\n") & set(cell) for row in table for cell in row):
        quoting = csv.QUOTE_ALL  # Python's writer leaves the other line end unquoted
    written, records = write([header, *table], "," if len(header) == 1 else delimiter, quoting, line_end)
    (tmp_path / "file").write_bytes(written.encode(encoding))

    found = content(open_drop(tmp_path / "file", "visits.csv", requiring("id")), rows)

    assert found.header == header
    assert not found.broken
    assert found.rows == [tuple(row) for row in table]
    assert found.raw == records[1:]
    lines = [(record + line_end).count(line_end[-1]) for record in records]
    assert found.lines == [1 + sum(lines[:position]) for position in range(1, len(lines))]


def listed(records: Records, offset: int = 0) -> list[tuple[int, int, int, int]]:
    columns = (records.start + offset, records.end + offset, records.line, records.fields)
    return list(zip(*(column.tolist() for column in columns), strict=True))


@settings(max_examples=1_000)
@given(st.lists(PIECES, max_size=25).map(lambda pieces: "".join(pieces).encode()), st.sampled_from(DIALECTS))
def test_every_byte_but_line_ends_belongs_to_a_record(text: bytes, dialect: Dialect) -> None:
    records = split(text, dialect, first_line=1, final=True)

    ends = [0, *records.end.tolist()]
    between = [text[end:start] for end, start in zip(ends, [*records.start.tolist(), len(text)], strict=True)]
    assert not b"".join(between).strip(b"\r\n" if dialect.line_end == "\n" else b"\r")
    assert records.consumed == len(text)


@settings(max_examples=1_000)
@given(st.lists(PIECES, max_size=25).map(lambda pieces: "".join(pieces).encode()), st.sampled_from(DIALECTS))
def test_splitting_at_once_finds_what_walking_record_by_record_finds(text: bytes, dialect: Dialect) -> None:
    assert listed(split(text, dialect, 1, final=True)) == listed(walk(text, dialect, 1, final=True))


@settings(max_examples=1_000)
@given(
    st.lists(PIECES, max_size=25).map(lambda pieces: "".join(pieces).encode()),
    st.sampled_from(DIALECTS),
    st.lists(st.integers(0, 40), max_size=5),
)
def test_where_a_file_is_cut_into_blocks_makes_no_difference(text: bytes, dialect: Dialect, cuts: list[int]) -> None:
    places = sorted({0, len(text), *(min(cut, len(text)) for cut in cuts)})
    found, line, offset, rest = [], 1, 0, b""
    for start, end in pairwise(places):
        rest += text[start:end]
        records = split(rest, dialect, line, final=False)
        found += listed(records, offset)
        line, offset, rest = line + records.lines, offset + records.consumed, rest[records.consumed :]
    found += listed(split(rest, dialect, line, final=True), offset)

    assert found == listed(split(text, dialect, 1, final=True))


def test_a_record_across_two_blocks_is_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = [[str(number), f'a "long"\nnote {number}'] for number in range(50)]
    written, records = write([["id", "note"], *table], ",", csv.QUOTE_MINIMAL, "\r\n")
    (tmp_path / "file").write_bytes(written.encode())
    monkeypatch.setattr(compression, "BLOCK", 64)

    found = content(open_drop(tmp_path / "file", "visits.csv", requiring("id")))

    assert found.rows == [tuple(row) for row in table]
    assert found.raw == records[1:]
    assert found.lines == list(range(2, 102, 2))


def test_one_lost_quote_costs_one_line_of_a_large_file() -> None:
    good = b"1,a\n" * 300_000
    records = split(b'0,"lost\n' + good, Dialect(","), 1, final=True)

    assert records.fields[0] == MISQUOTED
    assert records.end[0] == len(b'0,"lost')
    assert (records.fields[1:] == 2).all()
    assert len(records.start) == 300_001


@given(cells=st.lists(TRICKY, min_size=1, max_size=5), known=st.sampled_from(DIALECTS))
def test_the_quick_way_to_the_fields_of_a_plain_record_gives_what_the_grammar_does(cells, known):
    quoted = [known.quote + cell.replace(known.quote, 2 * known.quote) + known.quote for cell in cells]
    for record in (known.delimiter.join(texts).encode() for texts in (cells, quoted if known.quote else cells)):
        if record and grammar(known).record.fullmatch(record):
            quick = places.values(record, known)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(places, "_PLAIN_BYTES", 0)
                assert quick == places.values(record, known)
