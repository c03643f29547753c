"""How Parquet is read: every type as text that loses nothing."""

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from files import content, read, refusal, requiring

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
    "not a number": (pa.array([float("nan"), float("inf")]), ["nan", "inf"]),
    "boolean": (pa.array([True, False]), ["true", "false"]),
    "decimal": (pa.array([Decimal("0.0000000001"), Decimal("12.5000000000")]), ["0.0000000001", "12.5000000000"]),
    "large decimal": (pa.array([Decimal(10) ** 50, None], pa.decimal256(60, 2)), ["1" + "0" * 50 + ".00", None]),
    "day": (pa.array([date(2019, 3, 4), date(9999, 12, 31)]), ["2019-03-04", "9999-12-31"]),
    "time": (pa.array([time(5, 6, 7), None]), ["05:06:07", None]),
    "moment": (pa.array([MOMENT.replace(tzinfo=None), None]), ["2019-03-04T05:06:07.000120", None]),
    "moment in a zone": (
        pa.array([MOMENT, None], pa.timestamp("us", "UTC")).cast(pa.timestamp("us", "Africa/Nairobi")),
        ["2019-03-04T05:06:07.000120Z", None],
    ),
    "nanoseconds": (pa.array([1, None], pa.timestamp("ns")), ["1970-01-01T00:00:00.000000001", None]),
    "category": (pa.array(["a", None]).dictionary_encode(), ["a", None]),
    "bytes that are text": (pa.array(["é".encode(), b""]), ["é", ""]),
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
