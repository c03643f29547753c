"""How a group of settings is declared, and read from the environment with every fault named at once.

    @dataclass(frozen=True)
    class Limits:
        rate: str = variable("LASTMILE_RATE_LIMIT", "Requests of one principal.", "500/second", check=_rate)
        bytes: int = variable("LASTMILE_MOST_BODY_BYTES", "The longest body.", 2**24, check=at_least(1))

    limits = load(Limits)

Where the text of a variable comes from is said by `given`, how it becomes a value by `conversion`. What holds between
the variables of a group is checked in its `__post_init__`, which raises UserError.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar, get_type_hints

from lastmile.errors import UserError
from lastmile.settings.conversion import convert
from lastmile.settings.given import Given, given, without_password

Declared = TypeVar("Declared")
#: Says what is expected where a value cannot be; None where it can.
Check = Callable[[Any], str | None]
_KEY = "variable"
DEFAULT = "default"


@dataclass(frozen=True)
class Variable:
    """One setting. A `secret` is never shown; `example` is shown where the value given cannot be."""

    name: str
    help: str
    secret: bool = False
    example: str | None = None
    check: Check | None = None


@dataclass(frozen=True)
class Effective:
    """A setting as it is: its value, and where that is from, such as `environment`."""

    variable: Variable
    value: Any
    source: str
    #: Secret, or kept where secrets are.
    hidden: bool = False


def variable(
    name: str,
    help: str,  # noqa: A002  # as everywhere on command lines
    default: Any,
    *,
    secret: bool = False,
    example: str | None = None,
    check: Check | None = None,
) -> Any:
    """A field of a group: its variable, what it is for in one sentence, and its value where that is not set."""
    return field(default=default, metadata={_KEY: Variable(name, help, secret, example, check)})


def at_least(least: float) -> Check:
    """Numbers from `least` on."""
    return lambda value: None if value >= least else f"expected a number of {least:g} or more"


def one_of(*names: str) -> Check:
    """One of these names."""
    return lambda value: None if value in names else f"expected {' or '.join(names)}"


def begins_with(*starts: str) -> Check:
    """Addresses of these kinds."""
    return lambda value: None if value.startswith(starts) else f"expected it to begin with {' or '.join(starts)}"


def load(group: type[Declared], environ: Mapping[str, str] = os.environ) -> Declared:
    """The group as the environment sets it. Raises UserError naming every variable that cannot be what it is."""
    found, faulty = _read(group, environ)
    if faulty:
        raise UserError("; ".join(faulty))
    return group(**{name: one.value for name, one in found.items()})


def effective(group: type[Any], environ: Mapping[str, str] = os.environ) -> list[Effective]:
    """The settings of the group, each with where it is from, as its `from_environment` completes them where it has
    one. Raises UserError as `load` does."""
    found, faulty = _read(group, environ)
    if faulty:
        raise UserError("; ".join(faulty))
    complete = getattr(group, "from_environment", lambda environ: load(group, environ))(environ)
    return [replace(one, value=getattr(complete, name)) for name, one in found.items()]


def faults(group: type[Any], environ: Mapping[str, str] = os.environ) -> list[str]:
    """What cannot be, one sentence each."""
    found, faulty = _read(group, environ)
    if faulty:
        return faulty
    try:
        group(**{name: one.value for name, one in found.items()})
    except UserError as error:
        return [str(error)]
    return []


def variables(group: type[Any]) -> Iterator[Variable]:
    """What the group declares."""
    return (one.metadata[_KEY] for one in fields(group) if _KEY in one.metadata)


def defaults(group: type[Any]) -> dict[str, Any]:
    """The value of each of its variables where that is not set."""
    return {one.metadata[_KEY].name: one.default for one in fields(group) if _KEY in one.metadata}


def _read(group: type[Any], environ: Mapping[str, str]) -> tuple[dict[str, Effective], list[str]]:
    types, found, faulty = get_type_hints(group), {}, []
    for one in fields(group):
        if _KEY not in one.metadata:
            continue
        declared: Variable = one.metadata[_KEY]
        try:
            text = given(declared.name, environ)
            if text is None:
                found[one.name] = Effective(declared, one.default, DEFAULT, declared.secret)
            else:
                found[one.name] = _effective(declared, types[one.name], text)
        except UserError as error:
            faulty.append(str(error))
    return found, faulty


def _effective(declared: Variable, kind: Any, text: Given) -> Effective:
    value, expected = convert(kind, text.text)
    if expected is None and declared.check:
        expected = declared.check(value)
    hidden = declared.secret or text.hidden
    if expected is not None:
        found = "cannot be used" if hidden else f"is {without_password(text.text)!r}"
        where = "" if text.source == "environment" else f" (from {text.source})"
        hint = f", such as {declared.example}" if declared.example else ""
        raise UserError(f"{declared.name} {found}{where}: {expected}{hint}")
    return Effective(declared, value, text.source, hidden)
