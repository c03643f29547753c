"""What backslashes are in a file that escapes quotes by them.

Two of them are one where backslashes are escaped too, and two where they are not. A file that has two of them and also
single ones, as in `C:\\new`, does not say which it means.
"""

import re
from collections.abc import Iterable

from lastmile.ingestion.batch import Refused
from lastmile.ingestion.readers.delimited.records import Dialect, grammar

_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
DOUBLE, SINGLE = "doubled", "single"


def used(records: Iterable[bytes], dialect: Dialect, before: str | None) -> str | None:
    """How backslashes stand in the quoted fields of these records and `before`: doubled or single; None where only
    before quotes and line ends.

    Raises Refused where they stand both ways.
    """
    found = {before} if before else set()
    for record in records:
        if b"\\" in record:
            quoted = (field for field in grammar(dialect).field.findall(record) if field.startswith(b'"'))
            found |= {kind for field in quoted for mark in _ESCAPE.findall(field) if (kind := _kind(mark))}
        if len(found) > 1:
            shown = record[:80].decode("utf-8", "replace")
            raise Refused(
                f"expected backslashes inside quotes either doubled or single, found both, the second in {shown!r}, so "
                "that two of them could be one or two. Double the quotes inside fields instead of escaping them."
            )
    return next(iter(found), None)


def _kind(escaped: bytes) -> str | None:
    if escaped == b"\\":
        return DOUBLE
    return None if escaped in b'"\r\n' else SINGLE
