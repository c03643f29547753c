"""Bombs: files that expand far beyond their size, with the message of each refusal, and their measurement."""

import bz2
import gzip
import json
import lzma
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

import pyarrow as pa
import pyarrow.parquet as pq
from workbooks import MAIN, sheet_xml, workbook, workbook_of_xml

ROWS, TIMES = b"1,a\n" * 2**20, 2_560
HEADER = b"id,note\n"

MEASURE = """
import json, re, resource, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from files import requiring
from lastmile.ingestion.batch import Refused
from lastmile.ingestion.readers import open_drop

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024

for path, name in zip(sys.argv[2::2], sys.argv[3::2]):
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak
    before, started, message, rows = peak(), time.perf_counter(), None, 0
    try:
        for batch in open_drop(Path(path), name, requiring("id")).batches():
            rows += batch.records
    except Refused as refused:
        message = str(refused)
    child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    print(json.dumps([message, rows, peak() - before, child, time.perf_counter() - started]))
"""


@dataclass(frozen=True)
class Measured:
    """What became of a file: its refusal or None, records read, MiB more than before, most MiB of a child, seconds."""

    message: str | None
    rows: int
    peak_mib: int
    child_mib: int
    seconds: float


def measure(files: Sequence[tuple[Path, str]]) -> list[Measured]:
    """The result of each file under the name next to it, read sequentially in a fresh process."""
    named = [str(part) for file in files for part in file]
    command = [sys.executable, "-c", MEASURE, str(Path(__file__).parent), *named]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    return [Measured(*json.loads(line)) for line in done.stdout.splitlines()]


@dataclass(frozen=True)
class Bomb:
    """`says` is part of the message it is refused with; None where it is read after all."""

    name: str
    says: str | None
    make: Callable[[Path], object]


def gzipped(path: Path) -> None:
    path.write_bytes(gzip.compress(HEADER) + gzip.compress(ROWS) * TIMES)


def bzipped(path: Path) -> None:
    path.write_bytes(bz2.compress(HEADER) + bz2.compress(ROWS) * TIMES)


def xzipped(path: Path) -> None:
    path.write_bytes(lzma.compress(HEADER) + lzma.compress(ROWS, preset=0) * TIMES)


def zstandard(path: Path) -> None:
    packed = [pa.compress(text, codec="zstd", asbytes=True) for text in (HEADER, ROWS)]
    path.write_bytes(packed[0] + packed[1] * TIMES)


def wide_window(path: Path) -> None:
    """A frame of one block that asks for a window of 2 GiB."""
    block = HEADER + b"1,a\n"
    path.write_bytes(b"\x28\xb5\x2f\xfd" + bytes([0, 21 << 3]) + struct.pack("<I", len(block) << 3 | 1)[:3] + block)


def zipped(path: Path, stated: int = 4_000_000_000) -> None:
    """A member whose stated size is true, or a lie."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(ROWS) + packer.flush(zlib.Z_FULL_FLUSH)
    data, name = block * (4_000_000_000 // len(ROWS)) + b"\x03\x00", b"visits.csv"
    sizes = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 0, 0, len(data), stated, len(name), 0)
    listed = b"PK\x01\x02\x14\x00" + sizes + struct.pack("<HHHII", 0, 0, 0, 0, 0) + name
    local = b"PK\x03\x04" + sizes + name
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(listed), len(local) + len(data), 0)
    path.write_bytes(local + data + listed + end)


def zipped_and_lying(path: Path) -> None:
    zipped(path, stated=1_000)


def nested(path: Path) -> None:
    zipped(path)
    inner = path.read_bytes()
    with ZipFile(path, "w", ZIP_STORED) as archive:
        archive.writestr("inner.zip", inner)


def overlapping(path: Path) -> None:
    """A thousand names for the same bytes."""
    zipped(path)
    whole = path.read_bytes()
    start = whole.rindex(b"PK\x01\x02")
    listed = whole[start:-22]
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1_000, 1_000, 1_000 * len(listed), start, 0)
    path.write_bytes(whole[:start] + listed * 1_000 + end)


def swollen_workbook(path: Path) -> None:
    path.write_bytes(workbook({"Visits": [["id", "note"], *[["1", "a" * 1_000_000]] * 40]}))


def sparse_workbook(path: Path) -> None:
    far = f'<worksheet xmlns="{MAIN}"><sheetData><row r="1"><c r="A1" t="str"><v>id</v></c></row>'
    far += '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData></worksheet>'
    path.write_bytes(workbook_of_xml({"Visits": far}))


def laughing_workbook(path: Path) -> None:
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    sheet = sheet_xml([["id"], [b"#N/A"]]).replace("#N/A", "&l11;")
    path.write_bytes(workbook_of_xml({"Visits": f'<!DOCTYPE x [<!ENTITY l0 "ha">{laughs}]>{sheet}'}))


def workbook_with_a_cell(path: Path) -> None:
    path.write_bytes(workbook({"Visits": [["id"], [escape(os.urandom(25_000_000).hex())]]}, ZIP_STORED))


def lying_workbook(path: Path) -> None:
    path.write_bytes(workbook_of_xml({"Visits": sheet_xml([["id"], ["1"]], dimension="A1:XFD1048576")}))


def table(path: Path, column: object, **how: object) -> None:
    pq.write_table(pa.table({"id": column}), path, **how)


def repeated(path: Path) -> None:
    table(path, pa.DictionaryArray.from_arrays(pa.array([0] * 1_000_000, pa.int32()), pa.array(["x" * 900_000])))


def long_list(path: Path) -> None:
    table(path, pa.ListArray.from_arrays(pa.array([0, 10_000_000], pa.int32()), pa.nulls(10_000_000, pa.int8())))


def deltas(path: Path) -> None:
    column = pa.array(["x" * 900_000] * 100)
    table(path, column, use_dictionary=False, column_encoding={"id": "DELTA_BYTE_ARRAY"}, compression="zstd")


WIDE = [f"c{number}" for number in range(100_000)]
CELL = "x" * 50_000_000
DEEP = "[" * 100_000
RATIO, COLUMNS, NESTING, RECORD = (
    "raise limits.ratio in",
    "Raise limits.columns in",
    "limits.nesting",
    "aise limits.cell_characters in",
)

BOMBS = {
    "gzip of 10 GB": Bomb("visits.csv.gz", RATIO, gzipped),
    "bzip2 of 10 GB": Bomb("visits.csv.bz2", RATIO, bzipped),
    "xz of 10 GB": Bomb("visits.csv.xz", RATIO, xzipped),
    "zstd of 10 GB": Bomb("visits.csv.zst", RATIO, zstandard),
    "zstd with a window of 2 GB": Bomb("visits.csv.zst", "takes too much memory to unpack", wide_window),
    "zip of 4 GB": Bomb("visits.zip", RATIO, zipped),
    "zip of 4 GB that states 1,000 bytes": Bomb("visits.zip", "cannot be unpacked", zipped_and_lying),
    "zip in a zip": Bomb("visits.zip", "expected text inside zip", nested),
    "zip with a thousand names for the same bytes": Bomb("visits.zip", "with one file, found 1000", overlapping),
    "zip with a member ../": Bomb(
        "v.zip", "points out of it", lambda path: ZipFile(path, "w").writestr("../a.csv", "id")
    ),
    "workbook of 40 MB": Bomb("visits.xlsx", RATIO, swollen_workbook),
    "workbook with one cell at its far end": Bomb("visits.xlsx", "bytes to read", sparse_workbook),
    "workbook with a billion laughs": Bomb("visits.xlsx", "a workbook that is whole", laughing_workbook),
    "workbook with a cell of 50 MB": Bomb("visits.xlsx", RECORD, workbook_with_a_cell),
    "workbook that states 17 billion cells and has 2": Bomb("visits.xlsx", None, lying_workbook),
    "CSV with a cell of 50 MB": Bomb("visits.csv", RECORD, lambda path: path.write_text(f'id,note\n1,"{CELL}"\n')),
    "CSV with 100,000 columns": Bomb("visits.csv", COLUMNS, lambda path: path.write_text(f"id,{','.join(WIDE)}\n")),
    "JSON, 100,000 deep": Bomb("visits.json", NESTING, lambda path: path.write_text(DEEP)),
    "JSON with a cell of 50 MB": Bomb("v.json", RECORD, lambda path: path.write_text(f'[{{"id": "{CELL}"}}]')),
    "JSON with 100,000 columns": Bomb(
        "visits.json", COLUMNS, lambda path: path.write_text(json.dumps([dict.fromkeys(["id", *WIDE], 1)]))
    ),
    "JSON document of 100 MB": Bomb(
        "v.json", "limits.document_bytes", lambda path: path.write_text("[" + '{"id": 1},' * 10_000_000)
    ),
    "JSON Lines with a cell of 50 MB": Bomb(
        "visits.jsonl", RECORD, lambda path: path.write_text(f'{{"id": "{CELL}"}}\n')
    ),
    "JSON Lines, a column a line": Bomb(
        "visits.jsonl", COLUMNS, lambda path: path.write_text("".join(f'{{"id": 1, "{name}": 2}}\n' for name in WIDE))
    ),
    "Parquet with a cell of 50 MB": Bomb("v.parquet", RATIO, lambda path: table(path, [CELL], compression="zstd")),
    "Parquet with a cell of 50 MB that does not pack": Bomb(
        "visits.parquet", RECORD, lambda path: table(path, [os.urandom(25_000_000).hex()])
    ),
    "Parquet of 900 GB: a text in a million rows": Bomb("visits.parquet", RATIO, repeated),
    "Parquet of 90 MB written as deltas": Bomb("visits.parquet", RATIO, deltas),
    "Parquet with a list of 10 million": Bomb("visits.parquet", RATIO, long_list),
    "Parquet with 20,000 columns": Bomb(
        "visits.parquet", COLUMNS, lambda path: pq.write_table(pa.table([[1]] * 20_000, WIDE[:20_000]), path)
    ),
}
