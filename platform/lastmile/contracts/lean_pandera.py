"""pandera for polars, without what it would import besides: every process that knows a contract pays for it.

Where pandas is installed pandera imports it, and its own pandas half with it: 1.2 CPU-s. Nothing here validates pandas
frames, and pandera works without, as where only `pandera[polars]` is installed. So it does with hypothesis (0.2 CPU-s).
"""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder

__all__ = ["pa"]


class _Missing(MetaPathFinder):
    """Says of some packages that they are not there, to the thread that made it and to no other."""

    def __init__(self, *packages: str) -> None:
        self._packages = packages
        self._thread = threading.get_ident()

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:  # noqa: ARG002
        if fullname in self._packages and threading.get_ident() == self._thread:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)


@contextmanager
def _without(*packages: str) -> Iterator[None]:
    finder = _Missing(*packages)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


with _without("pandas", "hypothesis"):
    import pandera.polars as pa
