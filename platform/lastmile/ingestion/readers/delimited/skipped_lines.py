"""Lines that are no part of the table: so many at the start, and comments. They become empty, so that lines keep their
numbers; a line of no characters is not a record."""

import re
from collections.abc import Iterator

from lastmile.contracts.settings import Format


def without_skipped(text: Iterator[bytes], said: Format) -> Iterator[bytes]:
    """UTF-8 without the lines that the contract says to skip, in blocks of whole lines."""
    comment = re.compile(rb"(?m)^" + re.escape((said.comment or "").encode()) + rb"[^\r\n]*") if said.comment else None
    left, rest = said.skip_lines, b""
    for block in text:
        lines, rest = _whole_lines(rest + block)
        lines, left = _emptied(lines, left)
        yield comment.sub(b"", lines) if comment else lines
    lines, _ = _emptied(rest, left)
    yield comment.sub(b"", lines) if comment else lines


def _whole_lines(text: bytes) -> tuple[bytes, bytes]:
    end = max(text.rfind(b"\n"), text.rfind(b"\r", 0, -1)) + 1
    return text[:end], text[end:]


def _emptied(lines: bytes, count: int) -> tuple[bytes, int]:
    """The lines with so many of the first emptied, and how many are still to be."""
    at, ends = 0, []
    while count and at < len(lines):
        end = re.compile(rb"\r?\n|\r|\Z").search(lines, at)
        if end is None:
            break
        ends.append(end[0])
        at, count = end.end(), count - 1
    return b"".join(ends) + lines[at:], count
