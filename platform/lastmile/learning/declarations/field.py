"""One column of a feature set's pandera schema, with what pandera has no place for."""

from typing import Any

import pandera.pandas as pa


def field(description: str, *, unit: str | None = None, nullable: bool = True, **checks: Any) -> Any:
    """A pandera `Field` that is described, may be missing, and has its unit in its metadata.

    `checks` are pandera's own: `ge=0`, `isin=[...]`, `str_matches=...`. A plain `pandera.pandas.Field` does as well.
    """
    return pa.Field(nullable=nullable, description=description, metadata={"unit": unit}, **checks)
