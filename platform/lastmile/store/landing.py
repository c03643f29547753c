"""The landing area: where drops are in the store, which names are not drops, and which no drop may have."""

import unicodedata

LANDING = "landing/"
#: Folder within a partition of the objects that single records are gathered into.
GATHERED = "records/"
#: Suffixes that uploaders give to files still being written.
_UNFINISHED = (".tmp", ".temp", ".part", ".partial", ".crdownload", ".filepart", "._copying_", "~")
#: Limits of S3 on a key, and of file systems on each of its parts.
MAX_KEY_BYTES = 1_024
MAX_NAME_BYTES = 255
#: Unicode categories of invisible characters: control, format (bidi, zero-width), surrogate, line separators.
_INVISIBLE = ("Cc", "Cf", "Cs", "Zl", "Zp")


def is_unfinished(key: str) -> bool:
    """True for folder markers, hidden files, names that uploaders give to files they are still writing, and whatever
    is in a hidden folder: other engines write there before they commit, and keep their logs there."""
    *folders, name = key.split("/")
    if any(map(_is_hidden_folder, folders)):
        return True
    return not name or name.startswith((".", "_")) or name.lower().endswith(_UNFINISHED)


def name_problem(key: str) -> str | None:
    """Why an object of this name is never read, in one sentence; None for a valid name."""
    found = _problem(key)
    return found and f"{found}; upload it under another name"


def printable(key: str) -> str:
    """The key as it can be stored and displayed: invisible characters escaped, an overlong one shortened."""
    text = "".join(map(_escaped, key)) if not key.isprintable() else key
    return text if len(text.encode()) <= MAX_KEY_BYTES else f"{text[:200]}…{text[-200:]}"


def _is_hidden_folder(name: str) -> bool:
    """`_day=2026-03-01` is a partition, and `..` is no name, which is reported."""
    return name.startswith(("_", ".")) and "=" not in name and name not in (".", "..")


def _problem(key: str) -> str | None:
    parts = key.split("/")
    if any(part in ("", ".", "..") for part in parts):
        return "expected names separated by single slashes, found an empty one, '.' or '..'"
    if not key.isprintable() and (invisible := [character for character in key if _is_invisible(character)]):
        return f"expected visible characters, found {', '.join(map(ascii, invisible[:3]))}"
    if "\\" in key:
        return "expected '/' between names, found a backslash"
    if (length := len(key.encode())) > MAX_KEY_BYTES:
        return f"expected at most {MAX_KEY_BYTES} bytes, found {length}"
    if (longest := max(len(part.encode()) for part in parts)) > MAX_NAME_BYTES:
        return f"expected at most {MAX_NAME_BYTES} bytes between two slashes, found {longest}"
    return None


def _escaped(character: str) -> str:
    return ascii(character)[1:-1] if _is_invisible(character) else character


def _is_invisible(character: str) -> bool:
    return unicodedata.category(character) in _INVISIBLE
