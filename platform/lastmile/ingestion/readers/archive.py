"""A zip archive as one compressed file: it may hold exactly one, whose name goes nowhere near a file system."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import SEEK_END
from pathlib import PurePosixPath
from typing import IO
from zipfile import BadZipFile, ZipFile, ZipInfo

from lastmile.ingestion.batch import Refused, Unreadable
from lastmile.store import Source

#: Starts of a zip archive, with and without members.
ZIP = (b"PK\x03\x04", b"PK\x05\x06")
#: Bytes of the list of members, each 46 and its name; a workbook's is seldom over 100 KB. All of it is held.
LONGEST_LIST = 4 * 2**20
#: What every workbook has among its members.
WORKBOOK_PARTS = {"[Content_Types].xml", "content.xml", "xl/workbook.xml", "xl/workbook.bin"}
#: What macOS and Windows add unasked.
ADDED = ("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini")
SHOWN = 10


def is_zip_of_a_file(path: Source) -> bool:
    """Whether it is a zip archive and no workbook. Raises Unreadable for a damaged one."""
    with path.open("rb") as file:
        if not file.read(4).startswith(ZIP):
            return False
        with listed(file) as archive:
            return WORKBOOK_PARTS.isdisjoint(archive.namelist())


@contextmanager
def listed(file: IO[bytes]) -> Iterator[ZipFile]:
    """The archive, once its list of members is known to be short. Raises Refused, or Unreadable for a damaged one."""
    size = _bytes_of_list(file)
    if size > LONGEST_LIST:
        raise Refused(f"expected a zip archive with one file, found a list of {size:,} bytes. Send the file by itself.")
    try:
        archive = ZipFile(file)
    except (BadZipFile, OSError, ValueError) as error:
        raise Unreadable(
            f"expected a zip archive or a workbook that is whole and has no password; {error}. Send it again."
        ) from error
    with archive:
        yield archive


def _bytes_of_list(file: IO[bytes]) -> int:
    """As the record at the archive's end says; 0 where there is none."""
    file.seek(max(0, file.seek(0, SEEK_END) - 2**16 - 22))
    end = file.read()
    at = end.rfind(b"PK\x05\x06")
    return int.from_bytes(end[at + 12 : at + 16], "little") if at >= 0 else 0


def member(file: IO[bytes]) -> ZipInfo:
    """The one file in the archive. Raises Refused where there is none, several, or one that must not be opened."""
    with listed(file) as archive:
        files = [entry for entry in archive.infolist() if not entry.is_dir() and not _is_added(entry.filename)]
    if len(files) != 1:
        names = ", ".join(repr(entry.filename) for entry in files[:SHOWN]) + (", ..." if len(files) > SHOWN else "")
        raise Refused(
            f"expected a zip archive with one file, found {len(files)}: {names or 'none'}. Send each by itself."
        )
    (entry,) = files
    place = PurePosixPath(entry.filename.replace("\\", "/"))
    if place.is_absolute() or ".." in place.parts or ":" in entry.filename or not entry.filename.isprintable():
        raise Refused(
            f"expected a plain name in the zip archive, found {entry.filename!r}, which points out of it. Pack it "
            "again."
        )
    if entry.flag_bits & 1:
        raise Refused(f"{entry.filename!r} in the zip archive is encrypted. Send it without a password.")
    return entry


@contextmanager
def open_member(file: IO[bytes]) -> Iterator[IO[bytes]]:
    entry = member(file)
    try:
        with ZipFile(file) as archive, archive.open(entry) as unpacked:
            yield unpacked
    except (BadZipFile, NotImplementedError, RuntimeError) as error:
        raise Unreadable(
            f"{entry.filename!r} in the zip archive cannot be unpacked: {error}. Pack it again."
        ) from error


def _is_added(name: str) -> bool:
    return any(part in ADDED for part in PurePosixPath(name).parts)
