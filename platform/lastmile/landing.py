"""The one door: where drops lie in the store, and which names there are no drops."""

LANDING = "landing/"
#: Names that uploaders use for files still being written.
_UNFINISHED = (".tmp", ".temp", ".part", ".partial", ".crdownload", ".filepart", "~")


def is_unfinished(key: str) -> bool:
    """True for folder markers, hidden files and names that uploaders give to files they are still writing."""
    name = key.rsplit("/", 1)[-1]
    return not name or name.startswith((".", "_")) or name.lower().endswith(_UNFINISHED)
