"""Whether a declaration has values of the types that its fields are annotated with.

Python does not look, so a schedule given as text, or a tuple of one without its comma, would be found where it is used,
far from the file that says it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import timedelta
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

_SHOWN = 60


def mistyped(declaration: Any) -> Iterator[str]:
    """What is wrong with the values of a dataclass: what was expected, and what was found."""
    declared: Any = type(declaration)
    hints = _hints(declared)
    for one in fields(declaration):
        value = getattr(declaration, one.name)
        if not _fits(value, hints[one.name]):
            yield f"{one.name} is {_shown(value, hints[one.name])}; expected {_words(hints[one.name])}"


@cache
def _hints(declared: Any) -> Mapping[str, Any]:
    return get_type_hints(declared)


def _fits(value: Any, hint: Any) -> bool:
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Literal:
        return value in parts
    if origin in (Union, UnionType):
        return any(_fits(value, part) for part in parts)
    if hint is float:
        return isinstance(value, int | float)
    if origin in (Sequence, tuple):
        return isinstance(value, Sequence) and not isinstance(value, str) and all(_fits(one, parts[0]) for one in value)
    return isinstance(value, origin or hint)


def _words(hint: Any) -> str:
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Literal:
        return _either([repr(part) for part in parts])
    if origin in (Union, UnionType):
        return _either([_words(part) for part in parts])
    if origin in (Sequence, tuple):
        return f"a tuple of {_words(parts[0])}, as in (one, another) or (one,)"
    return "None" if hint is NoneType else str((origin or hint).__name__)


def _either(words: Sequence[str]) -> str:
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _shown(value: Any, hint: Any) -> str:
    """A text only where it is one of a few words, since it may be a password in the wrong place."""
    if get_origin(hint) is Literal or isinstance(value, int | float | timedelta | None):
        return repr(value)[:_SHOWN]
    return f"of type {type(value).__name__}"
