"""Text of any encoding as UTF-8, decided by evidence: a byte order mark, NUL bytes, then what the bytes can be.

Bytes that are no text in the encoding stay in as marks that are no valid UTF-8 either, so that one bad byte spoils one
record and not the file. `shown` turns them into `\\xNN` for people.
"""

import codecs
import re
from collections.abc import Iterator, Sequence
from itertools import chain

from lastmile.ingestion.batch import Refused, Unreadable
from lastmile.ingestion.readers.delimited.plausibility import is_plausible

MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
ESCAPE = "lastmile-escape"
#: C1 control characters in UTF-8, and what cp1252 has in their place; five it has not. One behind a character from
#: U+00C2 to U+00F4 may be the second byte of UTF-8 that was read as Latin-1 (`Ã\x91` for `Ñ`), and is left alone.
_C1 = re.compile(rb"(?<!\xc3[\x82-\xb4])\xc2([\x80-\x9f])")
#: Where there are none of these there are none of those; a search with a plain prefix is 25 times as fast.
_MAYBE_C1 = re.compile(rb"\xc2[\x80-\x9f]")
#: An undecodable byte b stands as the lone surrogate U+DC00 + b, which no valid text holds.
_ESCAPED = re.compile("[\udc00-\udcff]")
#: The end of a block that decides what the next begins with.
_CUT = re.compile(rb"(?:\xc3[\x82-\xb4]?|\xc2)\Z|\xc3[\x82-\xb4]\xc2\Z")
#: Byte order marks behind a line end; and the start of one at the end of a block.
_INNER_MARK, _CUT_MARK = re.compile(rb"([\r\n])(?:\xef\xbb\xbf)+"), re.compile(rb"\xef\xbb?\Z")
_WIDE = re.compile("[^\x00-\x7f\udc00-\udcff]")


def _escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(0xDC00 + byte) for byte in error.object[error.start : error.end]), error.end


codecs.register_error(ESCAPE, _escape)


def shown(record: bytes, encoding: str | int) -> str:
    """The text of a record of `as_utf8`, with bytes that are no text in the file's encoding as `\\xNN`."""
    if record.isascii():
        return record.decode()
    as_is = encoding in ("ascii", "utf-8")
    text = record.decode("utf-8", ESCAPE if as_is else "surrogatepass")
    return _ESCAPED.sub(lambda found: f"\\x{ord(found[0]) - 0xDC00:02x}", text)


def without_marks(text: Iterator[bytes], found: dict[str, str | int]) -> Iterator[bytes]:
    """UTF-8 without byte order marks at the beginnings of lines, where exports that were joined have theirs.

    `found` says so if any are.
    """
    before, rest = b"\n", b""
    for block in text:
        whole, rest = rest + block, b""
        if cut := _CUT_MARK.search(whole, max(len(whole) - 2, 0)):
            whole, rest = whole[: cut.start()], cut[0]
        if not whole.isascii() and codecs.BOM_UTF8 in whole and _INNER_MARK.search(before + whole):
            found["inner_marks"] = "removed"
            whole = _INNER_MARK.sub(rb"\1", before + whole)[1:]
        if whole:
            before = whole[-1:]
            yield whole
    if rest:
        yield rest


def without_c1(text: Iterator[bytes], found: dict[str, str | int]) -> Iterator[bytes]:
    """UTF-8 with C1 control characters, which no text has, as what they were meant to be; `found` says so if any are.

    They are what becomes of cp1252 that was converted as if it were Latin-1, and are read as cp1252 has them, as
    browsers do (WHATWG Encoding, windows-1252).
    """
    rest = b""
    for block in text:
        whole, rest = rest + block, b""
        if cut := _CUT.search(whole, max(len(whole) - 3, 0)):
            whole, rest = whole[: cut.start()], cut[0]
        if not whole.isascii() and _MAYBE_C1.search(whole) and _C1.search(whole):
            found["c1_controls"] = "read as cp1252"
            whole = _C1.sub(_meant, whole)
        if whole:
            yield whole
    if rest:
        yield rest


def _meant(control: re.Match[bytes]) -> bytes:
    return control[1].decode("cp1252", "ignore").encode() or control[0]


def as_utf8(blocks: Iterator[bytes], fallbacks: Sequence[str], found: dict[str, str | int]) -> Iterator[bytes]:
    """Blocks re-encoded as UTF-8 without byte order mark; `found["encoding"]` says from what.

    Without a mark, blocks pass as `ascii` until one is not; that one decides between UTF-8 and `fallbacks`. Raises
    Unreadable where it is in none of them, Refused where a later block is UTF-8 after a fallback was decided.
    """
    block = next(blocks, b"")
    mark = next((mark for mark in MARKS if block.startswith(mark)), b"")
    encoding = MARKS.get(mark) or _wide_without_mark(block)
    found["encoding"] = encoding or "ascii"
    block = block[len(mark) :]
    while encoding is None and block:
        block = _with_whole_characters(block, blocks)
        if not block.isascii():
            encoding = found["encoding"] = _decide(block, fallbacks)
            break
        yield block
        block = next(blocks, b"")
    rest = chain([block], blocks) if block else blocks
    yield from rest if encoding in (None, "utf-8") else _decoded(rest, str(encoding), encoding in fallbacks)


def _with_whole_characters(block: bytes, blocks: Iterator[bytes]) -> bytes:
    """The block, joined to the next where its only character that is not ASCII may be cut in two."""
    may_be_cut = not block.isascii() and block[:-3].isascii()
    return block + next(blocks, b"") if may_be_cut else block


def _wide_without_mark(block: bytes) -> str | None:
    """UTF-16 by its NULs: in Latin text every second byte is one."""
    start = block[:4096]
    if len(start) < 4 or b"\0" not in start:
        return None
    even, odd = (start[offset::2].count(0) / (len(start) / 2) for offset in (0, 1))
    if odd > 0.4 and even < 0.1:
        return "utf-16-le"
    return "utf-16-be" if even > 0.4 and odd < 0.1 else None


def _decide(block: bytes, fallbacks: Sequence[str]) -> str:
    if _is_utf8(block):
        return "utf-8"
    texts = {name: codecs.getincrementaldecoder(name)(ESCAPE).decode(block) for name in fallbacks}
    fitting = [name for name, text in texts.items() if not _ESCAPED.search(text) and is_plausible(text)]
    if len({texts[name] for name in fitting}) > 1:
        raise Refused(
            f"expected text in one of the contract's encodings, found that it could be in {' or '.join(fitting)}. Save "
            "the file as UTF-8, or name only its encoding in the contract."
        )
    if fitting:
        return fitting[0]
    raise Unreadable(
        f"expected text in {' or '.join(['utf-8', *fallbacks])}, found bytes that are in none of them. "
        "Save the file as UTF-8, or name its encoding in the contract."
    )


def _is_all_utf8(block: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(block)
    except UnicodeDecodeError:
        return False
    return True


def _is_utf8(block: bytes) -> bool:
    """Whether at least half of what is not ASCII is valid; by chance almost nothing is."""
    text = codecs.getincrementaldecoder("utf-8")(ESCAPE).decode(block)
    text = block.decode("utf-8", ESCAPE) if text.isascii() else text
    return len(_WIDE.findall(text)) >= len(_ESCAPED.findall(text))


def _decoded(blocks: Iterator[bytes], encoding: str, is_fallback: bool) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)(ESCAPE)
    for block in blocks:
        if is_fallback and not block.isascii() and _is_all_utf8(block):
            raise Refused(f"expected text in one encoding, found {encoding} and utf-8 mixed. Save the file as UTF-8.")
        yield decoder.decode(block).encode("utf-8", "surrogatepass")
    if cut_off := decoder.decode(b"", True):
        yield cut_off.encode("utf-8", "surrogatepass")
