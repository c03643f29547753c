"""How a group of settings is declared, and read from the environment with every fault named at once.

    @dataclass(frozen=True)
    class BackupSettings:
        url: str | None = variable("LASTMILE_BACKUP_URL", "Where backups are kept.", None, example="s3://b/backups")
        keep_days: int = variable("LASTMILE_BACKUP_KEEP_DAYS", "How long backups are kept.", 30, check=at_least(1))

    settings = load(BackupSettings)

A variable `X` may be in a file, for mounted secrets: `X_FILE` names it. Types other than text and paths are converted
by pydantic, which is imported only where such a variable is set.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from lastmile.errors import UserError

Declared = TypeVar("Declared")
#: Says what is expected where a value cannot be; None where it can.
Check = Callable[[Any], str | None]
_KEY = "variable"
_PLAIN = (str, str | None, Path, Path | None)


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


def load(group: type[Declared], environ: Mapping[str, str] = os.environ) -> Declared:
    """The group as the environment sets it. Raises UserError naming every variable that cannot be what it is."""
    found, faults = _read(group, environ)
    if faults:
        raise UserError("; ".join(faults))
    return group(**{name: one.value for name, one in found.items()})


def effective(group: type[Any], environ: Mapping[str, str] = os.environ) -> list[Effective]:
    """The settings of the group, each with where it is from. Raises UserError as `load` does."""
    found, faults = _read(group, environ)
    if faults:
        raise UserError("; ".join(faults))
    return list(found.values())


def variables(group: type[Any]) -> Iterator[Variable]:
    """What the group declares."""
    return (one.metadata[_KEY] for one in fields(group) if _KEY in one.metadata)


def _read(group: type[Any], environ: Mapping[str, str]) -> tuple[dict[str, Effective], list[str]]:
    types, found, faults = get_type_hints(group), {}, []
    for one in fields(group):
        if _KEY not in one.metadata:
            continue
        declared: Variable = one.metadata[_KEY]
        try:
            given = _given(declared.name, environ)
            if given is None:
                found[one.name] = Effective(declared, one.default, "default")
            else:
                text, source = given
                found[one.name] = Effective(declared, _value(declared, types[one.name], text, source), source)
        except UserError as error:
            faults.append(str(error))
    return found, faults


def _given(name: str, environ: Mapping[str, str]) -> tuple[str, str] | None:
    """The text of a variable and where it is from; None where it is not set, or empty."""
    if text := environ.get(name):
        return text, "environment"
    if not (file := environ.get(f"{name}_FILE")):
        return None
    try:
        return Path(file).expanduser().read_text().strip(), f"file {file}"
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{name}_FILE names {file}, which cannot be read: {error}; correct the path") from None


def _value(declared: Variable, kind: Any, text: str, source: str) -> Any:
    shown = "its value" if declared.secret else repr(text)
    where = declared.name if source == "environment" else f"{declared.name} ({source})"
    value, expected = _converted(kind, text)
    if expected is None and declared.check:
        expected = declared.check(value)
    if expected is not None:
        hint = f", such as {declared.example}" if declared.example else ""
        raise UserError(f"{where} is {shown}: {expected}{hint}")
    return value


def _converted(kind: Any, text: str) -> tuple[Any, str | None]:
    """The value, or what was expected instead."""
    if kind in _PLAIN:
        return (Path(text).expanduser() if kind in (Path, Path | None) else text), None
    from pydantic import TypeAdapter, ValidationError

    try:
        if getattr(kind, "__origin__", None) is tuple:  # one text each, separated by commas
            return TypeAdapter(kind).validate_python(
                tuple(part.strip() for part in text.split(",") if part.strip())
            ), None
        return TypeAdapter(kind).validate_strings(text), None
    except ValidationError as error:
        return None, error.errors()[0]["msg"].replace("Input should be", "expected")
