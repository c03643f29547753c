"""How Parquet is read: every type as text that loses nothing."""

import io
import json
from contextlib import suppress
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from declaring import dataset
from files import content, read, refusal, requiring
from hypothesis import given, settings
from hypothesis import strategies as st

from lastmile.contracts import column
from lastmile.ingestion.batch import Refused, Unreadable
from lastmile.ingestion.readers import open_drop

MOMENT = datetime(2019, 3, 4, 5, 6, 7, 120, UTC)

VALUES = {
    "text": (pa.array(["é", ""]), ["é", ""]),
    "null": (pa.nulls(2), [None, None]),
    "integer": (pa.array([2**63 - 1, None]), [str(2**63 - 1), None]),
    "unsigned": (pa.array([2**64 - 1, 0], pa.uint64()), [str(2**64 - 1), "0"]),
    "double": (pa.array([0.1, 1e300]), ["0.1", "1e+300"]),
    "float": (pa.array([0.1, 4.0], pa.float32()), ["0.1", "4"]),
    "not a number": (pa.array([float("nan"), float("inf")]), [None, "inf"]),
    "whole double": (pa.array([254712345678.0, -0.0]), ["254712345678", "0"]),
    "half": (pa.array([254712345678.5, 1e-7]), ["254712345678.5", "1e-7"]),
    "short float": (pa.array([12.5, None], pa.float16()), ["12.5", None]),
    "boolean": (pa.array([True, False]), ["true", "false"]),
    "decimal": (pa.array([Decimal("0.0000000001"), Decimal("12.5000000000")]), ["0.0000000001", "12.5000000000"]),
    "large decimal": (pa.array([Decimal(10) ** 50, None], pa.decimal256(60, 2)), ["1" + "0" * 50 + ".00", None]),
    "day": (pa.array([date(2019, 3, 4), date(9999, 12, 31)]), ["2019-03-04", "9999-12-31"]),
    "time": (pa.array([time(5, 6, 7), None]), ["05:06:07", None]),
    "time to the nanosecond": (pa.array([1, 0], pa.time64("ns")), ["00:00:00.000000001", "00:00:00"]),
    "time to the second": (pa.array([1, 86_399], pa.time32("s")), ["00:00:01", "23:59:59"]),
    "duration": (pa.array([129_600, -1], pa.duration("s")), ["36:00:00", "-00:00:01"]),
    "duration to the nanosecond": (pa.array([1, None], pa.duration("ns")), ["00:00:00.000000001", None]),
    "day in milliseconds": (pa.array([date(2019, 3, 4), None], pa.date64()), ["2019-03-04", None]),
    "moment": (pa.array([MOMENT.replace(tzinfo=None), None]), ["2019-03-04T05:06:07.000120", None]),
    "moment in a zone": (
        pa.array([MOMENT, None], pa.timestamp("us", "UTC")).cast(pa.timestamp("us", "Africa/Nairobi")),
        ["2019-03-04T05:06:07.000120Z", None],
    ),
    "nanoseconds": (pa.array([1, None], pa.timestamp("ns")), ["1970-01-01T00:00:00.000000001", None]),
    "moment in a zone by its offset": (
        pa.array([MOMENT, None], pa.timestamp("ms", "+05:30")),
        ["2019-03-04T05:06:07Z", None],
    ),
    "first and last moment": (
        pa.array([datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59)], pa.timestamp("us")),  # noqa: DTZ001
        ["0001-01-01T00:00:00", "9999-12-31T23:59:59"],
    ),
    "category": (pa.array(["a", None]).dictionary_encode(), ["a", None]),
    "bytes that are text": (pa.array(["é".encode(), b""]), ["é", ""]),
    "many bytes that are text": (pa.array(["é".encode(), None], pa.large_binary()), ["é", None]),
    "large text": (pa.array(["é", None], pa.large_string()), ["é", None]),
    "identifier": (
        pa.array([bytes(16), None], pa.binary(16)).cast(pa.uuid()),
        ["00000000-0000-0000-0000-000000000000", None],
    ),
    "fixed list": (pa.array([[1.5, 2.0], None], pa.list_(pa.float64(), 2)), ["[1.5,2]", None]),
    "large list": (pa.array([["é"], []], pa.large_list(pa.string())), ['["é"]', "[]"]),
    "map": (pa.array([[("a", 1)], None], pa.map_(pa.string(), pa.int8())), ['[["a",1]]', None]),
    "list": (pa.array([[1, 2], []]), ["[1,2]", "[]"]),
    "struct": (pa.array([{"x": "é", "day": date(2019, 3, 4)}, None]), ['{"x":"é","day":"2019-03-04"}', None]),
}


@pytest.mark.parametrize("kind", VALUES)
def test_every_type_becomes_text_that_loses_nothing(tmp_path: Path, kind: str) -> None:
    array, texts = VALUES[kind]
    pq.write_table(pa.table({"id": ["1", "2"], "note": array}), tmp_path / "file")

    found = content(open_drop(tmp_path / "file", "visits.parquet", requiring("id")))

    assert found.rows == [("1", texts[0]), ("2", texts[1])]
    assert [json.loads(row)["note"] for row in found.raw] == texts
    assert found.lines == [1, 2]


def test_old_timestamps_of_any_year_are_read_right(tmp_path: Path) -> None:
    days = pa.array([date(9999, 12, 31), date(1, 1, 1)])
    table = pa.table({"id": days.cast(pa.timestamp("us"))})
    pq.write_table(table, tmp_path / "file", use_deprecated_int96_timestamps=True)

    rows = content(open_drop(tmp_path / "file", "visits.parquet", requiring("id"))).rows

    assert rows == [("9999-12-31T00:00:00",), ("0001-01-01T00:00:00",)]


def test_bytes_that_are_no_text_are_refused_with_the_column_named(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": ["1"], "photo": [b"\xff\xd8"]}), tmp_path / "file")

    with pytest.raises(Refused, match="'photo' holds bytes that are not UTF-8"):
        content(open_drop(tmp_path / "file", "visits.parquet", requiring("id")))


def test_large_files_come_in_bounded_batches_with_their_row_numbers(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": range(10_001)}), tmp_path / "file", row_group_size=4_000)
    reader = open_drop(tmp_path / "file", "visits.parquet", requiring("id"))

    found = content(reader, rows=1_500)

    assert found.rows == [(str(number),) for number in range(10_001)]
    assert found.lines == list(range(1, 10_002))


def test_a_missing_required_column_is_named(tmp_path: Path) -> None:
    pq.write_table(pa.table({"hid": ["1"]}), tmp_path / "file")

    with pytest.raises(Refused, match=r"required columns \['id'\] are missing; the file has \['hid'\]"):
        open_drop(tmp_path / "file", "visits.parquet", requiring("id"))


def test_a_table_without_rows_has_a_header_and_no_batches(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": pa.array([], pa.string())}), tmp_path / "file")

    found = content(open_drop(tmp_path / "file", "visits.parquet", requiring("id")))

    assert (found.header, found.rows) == (["id"], [])


def test_a_damaged_file_is_unreadable_and_the_process_lives(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": [str(number) for number in range(10_000)]}), tmp_path / "whole", compression="none")
    whole = (tmp_path / "whole").read_bytes()

    for damaged in (
        whole[:-100],
        whole[:4] + b"\xff" * 3_000 + whole[3_004:],
        b"PAR1PAR1",
        b"PARE" + whole[4:-4] + b"PARE",
    ):
        assert "whole and not encrypted" in refusal(tmp_path, damaged, "visits.parquet", of=Unreadable)


def test_a_value_that_changed_on_its_way_is_noticed_where_pages_have_checksums(tmp_path: Path) -> None:
    table = pa.table({"id": ["untouched"] * 3})
    plain = {"compression": "none", "use_dictionary": False, "write_statistics": False}
    pq.write_table(table, tmp_path / "file", write_page_checksum=True, **plain)
    touched = (tmp_path / "file").read_bytes().replace(b"untouched", b"UNTOUCHED", 1)

    assert "CRC checksum" in refusal(tmp_path, touched, "visits.parquet", of=Unreadable)


def test_a_parquet_file_is_known_by_its_content(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": ["1"]}), tmp_path / "file")

    assert read(tmp_path, (tmp_path / "file").read_bytes(), "visits.csv").format["format"] == "parquet"


def unchecked(*texts: bytes) -> pa.Array:
    """A column of type string, whatever its bytes are: what some programs write."""
    return pa.array(texts).view(pa.string())


@pytest.mark.parametrize("is_dictionary", [True, False])
def test_a_text_that_is_not_utf8_costs_its_row_and_is_shown_by_its_bytes(tmp_path: Path, is_dictionary: bool) -> None:
    table = pa.table({"id": ["1", "2", "3"], "note": unchecked(b"caf\xe9", "é".encode(), b"caf\xe9")})
    pq.write_table(table, tmp_path / "file", use_dictionary=is_dictionary)

    (batch,) = open_drop(tmp_path / "file", "visits.parquet", requiring("id")).batches()

    assert batch.frame["note"].to_list() == ["caf\\xe9", "é", "caf\\xe9"]
    assert [(fault.line, fault.column, fault.rule) for fault in batch.faults] == [
        (1, "note", "encoding"),
        (3, "note", "encoding"),
    ]
    assert batch.faults[0].found == "bytes that are none: 'caf\\xe9'"


@pytest.mark.parametrize(
    "column",
    [
        pa.array([b"a", b"\xff"], pa.large_binary()).view(pa.large_string()),
        pa.ListArray.from_arrays(pa.array([0, 1, 2], pa.int32()), unchecked(b"a", b"\xff")),
        pa.StructArray.from_arrays([unchecked(b"a", b"\xff")], ["x"]),
        pa.DictionaryArray.from_arrays(pa.array([0, 1], pa.int8()), unchecked(b"a", b"\xff")),
        pa.array([b"a", b"\xff"], pa.binary()),
        pa.array([b"aa", b"\xff\xff"], pa.binary(2)),
    ],
    ids=["large", "list", "struct", "category", "binary", "fixed"],
)
def test_bytes_that_are_no_text_are_faults_wherever_they_are(tmp_path: Path, column: pa.Array) -> None:
    pq.write_table(pa.table({"id": ["1", "2"], "note": column}), tmp_path / "file")

    (batch,) = open_drop(tmp_path / "file", "visits.parquet", requiring("id")).batches()

    assert [fault.line for fault in batch.faults] == [2]
    assert "\\xff" in batch.faults[0].found


@pytest.mark.parametrize(
    ("stated", "number"),
    [
        (pa.timestamp("ms"), 2**62),
        (pa.timestamp("us", "UTC"), -(2**63) + 1),
        (pa.date32(), 2**31 - 1),
        (pa.time64("ns"), 86_400 * 10**9),
        (pa.time32("ms"), -1),
    ],
    ids=str,
)
def test_moments_that_no_calendar_has_are_faults(tmp_path: Path, stated: pa.DataType, number: int) -> None:
    counted = pa.array([0, number], pa.int32() if stated.bit_width == 32 else pa.int64())
    pq.write_table(pa.table({"id": ["1", "2"], "note": counted.view(stated)}), tmp_path / "file")

    (batch,) = open_drop(tmp_path / "file", "visits.parquet", requiring("id")).batches()

    assert [(fault.line, fault.rule) for fault in batch.faults] == [(2, "range")]
    assert batch.frame["note"][0] in ("1970-01-01T00:00:00", "1970-01-01T00:00:00Z", "1970-01-01", "00:00:00")


@pytest.mark.parametrize(
    ("stated", "number"), [(pa.float64(), 2.0**53), (pa.float64(), -1e300), (pa.float32(), 2.0**24)]
)
def test_numbers_that_may_have_lost_digits_are_faults_where_every_digit_counts(
    tmp_path: Path, stated: pa.DataType, number: float
) -> None:
    numbers = pa.array([7.0, number, None], stated)
    pq.write_table(pa.table({"id": numbers, "n": numbers, "x": numbers, "unknown": numbers}), tmp_path / "file")
    contract = dataset({"id": column(str, "Id."), "n": column(int, "Count."), "x": column(float, "Measure.")})

    (batch,) = open_drop(tmp_path / "file", "visits.parquet", contract).batches()

    assert [(fault.line, fault.column, fault.rule) for fault in batch.faults] == [
        (2, "id", "digits"),
        (2, "n", "digits"),
    ]


SOUND = {
    "id": [f"V{number}" for number in range(200)],
    "n": list(range(200)),
    "tags": [["a", "b"]] * 200,
    "at": pa.array(range(200), pa.timestamp("us")),
    "price": [Decimal(number) / 100 for number in range(200)],
}


@given(st.data())
@settings(max_examples=60, derandomize=True)
def test_a_file_with_wrong_bytes_anywhere_is_read_or_refused_and_nothing_else(data: st.DataObject) -> None:
    written = io.BytesIO()
    pq.write_table(pa.table(SOUND), written, row_group_size=70)
    content = bytearray(written.getvalue())
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    places = st.integers(4, len(content) - 9) | st.integers(footer, len(content) - 9)
    for place in data.draw(st.lists(places, min_size=1, max_size=4)):
        content[place] = data.draw(st.integers(0, 255))
    with TemporaryDirectory() as folder, suppress(Refused):
        path = Path(folder, "file")
        path.write_bytes(content)
        for batch in open_drop(path, "visits.parquet", requiring("id")).batches():
            assert len(batch.raw(range(batch.frame.height))) == batch.records


def test_a_footer_that_ends_the_process_of_pyarrow_is_unreadable(tmp_path: Path) -> None:
    """Its histogram of definition levels is a value too long."""
    pq.write_table(pa.table({"id": ["1", None]}), tmp_path / "file")
    whole = (tmp_path / "file").read_bytes()
    footer = whole[-8 - int.from_bytes(whole[-8:-4], "little") : -8]
    histogram = bytes([0x26, 2, 2])  # two counts, one each
    assert footer.count(histogram) == 1
    longer = footer.replace(histogram, bytes([0x36, 2, 2, 2]))
    damaged = whole[: -8 - len(footer)] + longer + len(longer).to_bytes(4, "little") + b"PAR1"

    assert "whole and not encrypted" in refusal(tmp_path, damaged, "visits.parquet", of=Unreadable)


def test_an_encrypted_file_is_unreadable(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": ["1"]}), tmp_path / "file")
    hidden = (tmp_path / "file").read_bytes().replace(b"PAR1", b"PARE")

    assert "not encrypted" in refusal(tmp_path, hidden, "visits.parquet", of=Unreadable)


@pytest.mark.parametrize("rare", ["short", "x" * 20_000], ids=["short", "long"])
def test_texts_written_partly_as_numbers_into_a_dictionary_are_read_as_they_are(tmp_path: Path, rare: str) -> None:
    names = [rare] * 10 + [f"household {number:08}" for number in range(60_000)] + [None, "", rare]
    table = pa.table({"id": names, "note": [name and name[::-1] for name in names]})
    pq.write_table(table, tmp_path / "file", dictionary_pagesize_limit=2_000, row_group_size=20_000)
    assert {"PLAIN", "RLE_DICTIONARY"} <= set(pq.read_metadata(tmp_path / "file").row_group(0).column(0).encodings)

    batches = list(open_drop(tmp_path / "file", "visits.parquet", requiring("id")).batches())

    assert [row for batch in batches for row in batch.frame["id"].to_list()] == names
    assert [row for batch in batches for row in batch.frame["note"].to_list()] == table["note"].to_pylist()


@pytest.mark.parametrize("is_dictionary", [False, True])
def test_a_nul_character_in_a_text_is_never_overlooked(tmp_path: Path, is_dictionary: bool) -> None:
    for notes, is_free in ((["a", "b\0", None], False), (["a", "b", None], True)):
        table = pa.table({"id": ["1", "2", "3"], "note": notes, "number": [0, 1, 2]})
        pq.write_table(table, tmp_path / "file", use_dictionary=is_dictionary)
        (batch,) = open_drop(tmp_path / "file", "visits.parquet", requiring("id")).batches()
        assert batch.nul_free == is_free
