"""Names: what a table's columns may be called, and the form in which headers are compared with them.

Two headers are compared by their words and signs: letters with their marks, digits, and whatever changes a meaning
(`<`, `%`, `€`, `°`, `+`, `#`, ...). Case does not count, nor do blanks and the punctuation that only separates words.
"""

import re
import unicodedata
from functools import lru_cache

#: A name that SQL needs no quotes for.
COLUMN_NAME = re.compile(r"(?!(?:ctid|cmin|cmax|xmin|xmax|tableoid)$)[a-z][a-z0-9_]{0,62}")
#: What COLUMN_NAME requires, in words.
COLUMN_NAME_IN_WORDS = "lower-case names of at most 63 letters, digits and _, and none that Postgres keeps for itself"

#: A header that is its own normal name.
_NORMAL = re.compile(r"[a-z0-9]+(?:_[a-z0-9]+)*")
#: Compatibility forms that differ in looks only. Others differ in meaning: `x²` is not `x2`.
_LOOKS = ("<wide>", "<narrow>", "<initial>", "<medial>", "<final>", "<isolated>", "<noBreak>")
#: Punctuation that is a sign; all other punctuation separates words.
_SIGNS = frozenset("!%&#@/\\§¶†‡‰‱\u2032\u2033\u2034※")
#: Marks of quotation that Unicode counts among the symbols, and letters that show nothing.
_QUOTES, _INVISIBLE = frozenset("`\u00b4¨"), frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0")
#: As which a hyphen that joins no words is compared, so that it stays apart from one that does.
_MINUS = "\u2212"
#: In the shape of a name (w: word, s: sign, b: blank, h: hyphen, a: asterisk, p: other punctuation): hyphens between
#: words, asterisks at the ends.
_JOINING, _MARKING = re.compile(r"(?<=w)h+(?=w)|(?<=b)h+(?=b)"), re.compile(r"^[abp]+|[abp]+$")
_PARTS = re.compile(r"[wsha]+|(?<=w)[bp]+(?=w)")


#: Characters of a header that are compared; what is longer is no name.
_COMPARED = 10_000


def normal_name(header: str) -> str:
    """The form in which headers and column names are compared: lower case, words joined by `_`.

    A hyphen joins two words or, between blanks, separates them; any other is a minus. Asterisks at the ends, as of
    required questions, do not count.
    """
    return _normal_name(header[:_COMPARED])


@lru_cache(maxsize=10_000)
def _normal_name(header: str) -> str:
    if _NORMAL.fullmatch(header):
        return header
    text = _folded(header)
    shape = text.translate(_KINDS) if text.isascii() else "".join(map(_kind, text))
    for separator in (_JOINING, _MARKING):
        shape = separator.sub(lambda found: "p" * len(found[0]), shape)
    parts = _PARTS.finditer(shape)
    joined = "".join("_" if part[0][0] in "bp" else text[part.start() : part.end()] for part in parts)
    return joined if joined.isascii() and "-" not in joined else "".join(map(_as_minus, joined))


def is_unnamed(header: str) -> bool:
    """Whether a header shows nothing: only blanks and characters without width."""
    return not header or (len(header) < _COMPARED and all(_kind(char) == "b" for char in _folded(header)))


def _folded(header: str) -> str:
    """Without case, invisible characters and differences of looks, composed (NFC)."""
    if header.isascii():
        return header.lower()
    looks = (unicodedata.normalize("NFKC", char) if _is_looks(char) else char for char in header)
    shown = "".join(char for char in "".join(looks) if not _is_invisible(char))
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", shown).casefold())


def _is_looks(char: str) -> bool:
    return unicodedata.decomposition(char).startswith(_LOOKS)


def _is_invisible(char: str) -> bool:
    """Formats such as the byte order mark and the joiners of width zero, and variation selectors."""
    is_selector = "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef"
    return is_selector or char in _INVISIBLE or unicodedata.category(char) == "Cf"


def _kind(char: str) -> str:
    category = unicodedata.category(char)
    if char == "_" or category[0] == "Z" or category == "Cc":
        return "b"
    if char == "*":
        return "a"
    if category == "Pd":
        return "h"
    if char in _SIGNS or (category[0] == "S" and char not in _QUOTES):
        return "s"
    return "p" if category[0] == "P" or char in _QUOTES else "w"


def _as_minus(char: str) -> str:
    return _MINUS if _kind(char) == "h" else char


_KINDS = {code: _kind(chr(code)) for code in range(128)}
