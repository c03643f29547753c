"""The version of a contract: a digest of everything that decides how a drop is read and validated, and of nothing else.

What a check does counts, not only its name: the expression it selects, with every number in it; of one that has none,
its code, the values it encloses and the globals it reads. All of it is the same in every process.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import partial
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import polars as pl
from pandera.api.base.model_components import BaseCheckInfo


def digest(*parts: Any) -> str:
    """Twelve hex digits of the parts."""
    return hashlib.sha256("\n".join(_said(part) for part in parts).encode()).hexdigest()[:12]


def _said(value: Any) -> str:
    """A value as text that is the same wherever it means the same."""
    match value:
        case Mapping():
            return "{" + ",".join(sorted(f"{_said(key)}:{_said(item)}" for key, item in value.items())) + "}"
        case set() | frozenset():
            return "set" + _said(sorted(map(_said, value)))
        case list() | tuple():
            return "(" + ",".join(map(_said, value)) + ")"
        case pl.Expr():
            return _of_expression(value)
        case pl.Series():
            return f"{value.dtype}{_said(value.to_list())}"
        case re.Pattern():
            return f"{value.pattern}/{value.flags}"
        case type():
            return f"{value.__module__}.{value.__qualname__}"
    return _of_code(value)


def _of_code(value: Any) -> str:
    """Functions by what they do; of anything else that has no text of its own, its type."""
    match value:
        case CodeType():
            return _said([value.co_code.hex(), value.co_names, _constants(value)])
        case FunctionType():
            return _of_function(value)
        case MethodType():
            return _said(value.__func__)
        case partial():
            return _said([value.func, value.args, value.keywords])
        case BaseCheckInfo():
            return _said(value.check_fn)
    if is_dataclass(value):
        return _said([type(value), {field.name: getattr(value, field.name) for field in fields(value)}])
    text = repr(value)
    return type(value).__qualname__ if " at 0x" in text else text


def _of_expression(expression: pl.Expr) -> str:
    """As it is shown. What is listed in it may have come from a set, whose order is another one in each process; of a
    long list only the ends are shown, so that its members count by the code that names them."""
    shown = re.sub(r" at 0x[0-9A-Fa-f]+", "", str(expression))
    return re.sub(r"\[\[([^\]]*)\]\]", lambda found: _of_members(found[1]), shown)


def _of_members(listed: str) -> str:
    return "[[...]]" if "\u2026" in listed else f"[[{', '.join(sorted(listed.split(', ')))}]]"


def _constants(code: CodeType) -> list[Any]:
    """Without the docstring, which is what the first constant may be."""
    return [constant for constant in code.co_consts if not isinstance(constant, str) or constant != _doc(code)]


def _doc(code: CodeType) -> str | None:
    first = code.co_consts[0] if code.co_consts else None
    return first if isinstance(first, str) else None


_UNDER_WAY: set[int] = set()


def _of_function(function: FunctionType) -> str:
    if id(function) in _UNDER_WAY:
        return function.__qualname__
    _UNDER_WAY.add(id(function))
    try:
        enclosed = [_said(cell.cell_contents) for cell in function.__closure__ or ()]
        return _said(
            [function.__code__, function.__defaults__, function.__kwdefaults__, enclosed, [*_globals(function)]]
        )
    finally:
        _UNDER_WAY.discard(id(function))


def _globals(function: FunctionType) -> Iterator[str]:
    """What the function reads of its own package: values and functions of its module, and of modules it imports."""
    package = function.__module__.partition(".")[0]
    names = function.__code__.co_names
    for name in names:
        value = function.__globals__.get(name)
        if isinstance(value, ModuleType):
            inside = [(part, getattr(value, part, None)) for part in names if value.__name__.startswith(package)]
            yield from (f"{name}.{part}={_said(item)}" for part, item in inside if _counts(item, package))
        elif _counts(value, package):
            yield f"{name}={_said(value)}"


def _counts(value: Any, package: str) -> bool:
    if isinstance(value, FunctionType):
        return value.__module__.partition(".")[0] == package
    return value is not None and not isinstance(value, type | ModuleType) and not callable(value)
