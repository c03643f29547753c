"""Every group of settings that there is: those that the modules of this package declare. None is named twice."""

import difflib
import importlib
import os
import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from typing import Any

import lastmile.settings
from lastmile.errors import UserError
from lastmile.settings.given import FILE
from lastmile.settings.group import faults, variables
from lastmile.settings.sources import PREFIX as OF_SOURCES

PREFIX = "LASTMILE_"


def groups() -> list[type[Any]]:
    """By module in the order of the alphabet, the installation's own first; within one as they are declared."""
    names = sorted(
        (found.name for found in pkgutil.iter_modules(lastmile.settings.__path__)),
        key=lambda name: (name != "installation", name),
    )
    return [group for name in names for group in _declared(f"{lastmile.settings.__name__}.{name}")]


def known() -> set[str]:
    """The names of all variables."""
    return {one.name for group in groups() for one in variables(group)}


def unknown(environ: Mapping[str, str] = os.environ) -> list[str]:
    """A sentence for each variable that looks like one of ours and is none."""
    names = known()
    allowed = names | {name + FILE for name in names}
    ours = [name for name in sorted(environ) if name.startswith(PREFIX) and not name.startswith(OF_SOURCES)]
    return [_sentence(name, allowed) for name in ours if name not in allowed]


def all_faults(environ: Mapping[str, str] = os.environ) -> list[str]:
    """What cannot be, of all groups."""
    return [fault for group in groups() for fault in faults(group, environ)]


def check(environ: Mapping[str, str] = os.environ) -> None:
    """Raises UserError that names every fault, a line each."""
    found = all_faults(environ)
    if len(found) == 1:
        raise UserError(found[0])
    if found:
        many = f"{len(found)} settings cannot be used; `lastmile config docs` lists all there are:"
        raise UserError("\n  ".join([many, *found]))


def _declared(module: str) -> Iterator[type[Any]]:
    for found in vars(importlib.import_module(module)).values():
        if isinstance(found, type) and is_dataclass(found) and found.__module__ == module and any(variables(found)):
            yield found


def _sentence(name: str, allowed: set[str]) -> str:
    swapped = [one for one in sorted(allowed) if sorted(one) == sorted(name)]
    close = swapped or difflib.get_close_matches(name, sorted(allowed), n=1, cutoff=0.8)
    meant = f"did you mean {close[0]}?" if close else "`lastmile config docs` lists all there are"
    return f"{name} is not known; {meant}"
