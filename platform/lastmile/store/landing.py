"""The one door: where drops lie in the store, which names there are no drops, and which no drop may have."""

import unicodedata

LANDING = "landing/"
#: Names that uploaders use for files still being written.
_UNFINISHED = (".tmp", ".temp", ".part", ".partial", ".crdownload", ".filepart", "~")
#: Bytes of a key and of each of its parts: what S3 and what file systems can hold.
MOST_KEY_BYTES = 1_024
MOST_NAME_BYTES = 255
#: Kinds of characters that cannot be seen: controls, formats (bidi, zero-width), half characters, separators of lines.
_UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")


def is_unfinished(key: str) -> bool:
    """True for folder markers, hidden files and names that uploaders give to files they are still writing."""
    name = key.rsplit("/", 1)[-1]
    return not name or name.startswith((".", "_")) or name.lower().endswith(_UNFINISHED)


def name_problem(key: str) -> str | None:
    """Why an object of this name is never read, in one sentence; None where nothing is wrong with it."""
    found = _problem(key)
    return found and f"{found}; upload it under another name"


def shown(key: str) -> str:
    """The key as it can be written anywhere: what cannot be seen as an escape, an endless one without its middle."""
    text = "".join(map(_shown, key)) if not key.isprintable() else key
    return text if len(text.encode()) <= MOST_KEY_BYTES else f"{text[:200]}…{text[-200:]}"


def _problem(key: str) -> str | None:
    parts = key.split("/")
    if any(part in ("", ".", "..") for part in parts):
        return "expected names parted by single slashes, found an empty one, '.' or '..'"
    if not key.isprintable() and (unseen := [character for character in key if _is_unseen(character)]):
        return f"expected characters that can be seen, found {', '.join(map(ascii, unseen[:3]))}"
    if "\\" in key:
        return "expected '/' between names, found a backslash"
    if (length := len(key.encode())) > MOST_KEY_BYTES:
        return f"expected at most {MOST_KEY_BYTES} bytes, found {length}"
    if (longest := max(len(part.encode()) for part in parts)) > MOST_NAME_BYTES:
        return f"expected at most {MOST_NAME_BYTES} bytes between two slashes, found {longest}"
    return None


def _shown(character: str) -> str:
    return ascii(character)[1:-1] if _is_unseen(character) else character


def _is_unseen(character: str) -> bool:
    return unicodedata.category(character) in _UNSEEN
