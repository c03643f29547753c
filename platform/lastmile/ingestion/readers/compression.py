"""Compressed files as plain blocks, at constant memory; one that ends early or is damaged is never mistaken for whole.

A bomb is stopped while it unpacks: at so many bytes, or so many times the bytes read of it by then.
"""

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from io import SEEK_END
from typing import IO, Any

from lastmile.contracts.settings import Limits
from lastmile.ingestion.batch import Refused, Unreadable
from lastmile.ingestion.readers.archive import ZIP, is_zip_of_a_file, member, open_member
from lastmile.store import Source

#: Bytes handed on at a time: some 20,000 survey rows. Half of it costs 8 % more CPU; memory grows with it, 20-fold.
BLOCK = 6 * 2**20
#: Bytes of a file for which a block is a byte smaller, down to a third: the keys of all rows take memory too, one byte
#: for some 28 of the file, and a byte of a block takes some 25.
FOR_A_BYTE = 28 * 25
#: So much may be unpacked of anything: a small file of equal lines is no bomb.
HARMLESS = 16 * 2**20
#: What the xz decoder may take; its strongest setting takes 65 MiB.
XZ_MEMORY = 128 * 2**20

MAGIC = {"gzip": b"\x1f\x8b", "zstd": b"\x28\xb5\x2f\xfd", "bzip2": b"BZh", "xz": b"\xfd7zXZ\x00"}


def compression(path: Source) -> str | None:
    """Which compression the first bytes announce; None for a plain file."""
    with path.open("rb") as file:
        start = file.read(8)
    if start.startswith(ZIP) and is_zip_of_a_file(path):
        return "zip"
    return next((name for name, magic in MAGIC.items() if start.startswith(magic)), None)


def blocks(path: Source, limits: Limits) -> Iterator[bytes]:
    """The content in blocks of at most `BLOCK` bytes.

    Raises Unreadable for damaged compressed data, Refused where it unpacks to more than the limits allow.
    """
    name = compression(path)
    if name is None:
        with path.open("rb") as file:
            at_a_time = max(BLOCK - file.seek(0, SEEK_END) // FOR_A_BYTE, BLOCK // 3)
            file.seek(0)
            yield from iter(lambda: file.read(at_a_time), b"")
    else:
        with path.open("rb") as packed:
            if name == "zip":
                stated = member(packed)
                check_unpacked(stated.file_size, stated.compress_size, name, limits)
            size = 0
            for block in _unpacked(packed, name):
                size += len(block)
                check_unpacked(size, packed.tell(), name, limits)
                yield block


def check_unpacked(unpacked: int, packed: int, name: str, limits: Limits) -> None:
    """Raises Refused where so many bytes made of so many are more than the limits allow."""
    if unpacked > limits.unpacked_bytes:
        raise Refused(
            f"expected at most {limits.unpacked_bytes:,} bytes unpacked ({name}), found {unpacked:,} or more. Send "
            "smaller files, or raise limits.unpacked_bytes in the contract if this is meant."
        )
    if unpacked > max(HARMLESS, limits.ratio * packed):
        raise Refused(
            f"expected data that unpacks ({name}) to at most {limits.ratio:,} times its size, found {unpacked:,} bytes "
            f"or more in {packed:,}. Send it unpacked, or raise limits.ratio in the contract if this is meant."
        )


def _unpacked(packed: IO[bytes], name: str) -> Iterator[bytes]:
    length = packed.seek(0, SEEK_END)
    packed.seek(0)
    try:
        with _OPEN[name](packed) as stream:
            yield from iter(lambda: stream.read(BLOCK), b"")
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        early = isinstance(error, EOFError) or "Truncated" in str(error)
        fault = "ends early, after" if early else "is damaged, or takes too much memory to unpack; the file has"
        raise Unreadable(
            f"the compressed data ({name}) {fault} {length:,} bytes: {error}. Send the file again."
        ) from error


def _open_zstd(packed: IO[bytes]) -> Any:
    """Windows over 128 MiB are refused by the library."""
    import pyarrow as pa

    return pa.CompressedInputStream(pa.PythonFile(packed, "r"), "zstd")


class _Xz:
    """As `lzma.open`, which sets no bound to the decoder's memory."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._decoder = _xz_decoder()

    def read(self, size: int) -> bytes:
        while True:
            if self._decoder.eof:
                rest = (self._decoder.unused_data or self._file.read(2**16)).lstrip(b"\0")
                if not rest:
                    return b""
                self._decoder = _xz_decoder()
            else:
                rest = self._file.read(2**16) if self._decoder.needs_input else b""
                if not rest and self._decoder.needs_input:
                    raise EOFError("no end of the stream")
            if data := self._decoder.decompress(rest, size):
                return data


def _xz_decoder() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=XZ_MEMORY)


@contextmanager
def _open_xz(packed: IO[bytes]) -> Iterator[_Xz]:
    yield _Xz(packed)


_OPEN: dict[str, Callable[[IO[bytes]], AbstractContextManager[Any]]] = {
    "gzip": gzip.open,
    "bzip2": bz2.open,
    "xz": _open_xz,
    "zstd": _open_zstd,
    "zip": open_member,
}
