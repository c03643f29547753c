"""Names: what a table's columns may be called, and the form in which headers are compared with them."""

import re
from functools import lru_cache

#: A name that SQL needs no quotes for.
COLUMN_NAME = re.compile(r"(?!(?:ctid|cmin|cmax|xmin|xmax|tableoid)$)[a-z][a-z0-9_]{0,62}")
#: What COLUMN_NAME requires, in words.
COLUMN_NAME_IN_WORDS = "lower-case names of at most 63 letters, digits and _, and none that Postgres keeps for itself"


@lru_cache(maxsize=10_000)
def normal_name(header: str) -> str:
    """The form in which headers and column names are compared: lower case, words joined by `_`."""
    return re.sub(r"[\W_]+", "_", header.strip().lower()).strip("_")
