"""What a person declares to learn something: a feature set, a model, a report; each in one file.

Where Dask is installed pandera imports it, for frames of Dask, of which there are none here: 35 MB and a second of
every process that knows the declarations. So pandera is imported without it, once, and Dask can be imported as ever.
"""

import sys

_HIDDEN = "dask"

if _HIDDEN not in sys.modules and "pandera.typing.dask" not in sys.modules:
    sys.modules[_HIDDEN] = None  # type: ignore[assignment]  # as importlib has it: not there
    try:
        import pandera.typing.dask  # noqa: F401
    finally:
        del sys.modules[_HIDDEN]
