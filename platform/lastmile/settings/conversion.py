"""From the text of a variable to its value.

Types other than text and paths are converted by pydantic, which is imported only where such a variable is set.
"""

import math
from pathlib import Path
from typing import Any, get_origin

_TEXTS, _PATHS = (str, str | None), (Path, Path | None)


def convert(kind: Any, text: str) -> tuple[Any, str | None]:
    """The value, or what was expected instead. Of a tuple, the parts are separated by commas."""
    if kind in _TEXTS:
        return text, None
    if kind in _PATHS:
        return _path(text)
    from pydantic import TypeAdapter, ValidationError

    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    try:
        if get_origin(kind) is tuple:
            value = adapter.validate_python(tuple(part.strip() for part in text.split(",") if part.strip()))
        else:
            value = adapter.validate_strings(text)
    except ValidationError as error:
        return None, error.errors()[0]["msg"].replace("Input should be", "expected")
    if isinstance(value, float) and not math.isfinite(value):
        return None, "expected a finite number"
    return value, None


def _path(text: str) -> tuple[Path | None, str | None]:
    try:
        return Path(text).expanduser(), None
    except RuntimeError:
        return None, "expected the home of a user that there is"
