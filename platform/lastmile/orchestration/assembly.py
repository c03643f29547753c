"""Putting the code location together from declarations that may be wrong: each that is costs itself alone, by name.

A declaration can be wrong by itself (an owner that Dagster refuses), next to another (the same asset twice) or only in
the whole graph (a cycle). The last is found by loading all; what is to blame, by adding one after another.
"""

import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import dagster as dg

from lastmile.contracts.broken import Broken

Made = Sequence[dg.AssetsDefinition]


@dataclass(frozen=True)
class Part:
    """A declaration, and what makes its assets."""

    kind: str
    file: str
    make: Callable[[], Made]


def assembled(base: dg.Definitions, parts: Iterable[Part]) -> tuple[dg.Definitions, list[Broken]]:
    """The base with the assets of all parts that can be part of it, and those that cannot, with the reason."""
    broken: list[Broken] = []
    taken = {key for assets in base.assets or () if isinstance(assets, dg.AssetsDefinition) for key in assets.keys}
    made = [one for part in parts if (one := _made(part, taken, broken))]
    whole = _with(base, [assets for _, assets in made])
    if _fault(whole) is None:
        return whole, broken
    kept: list[Made] = []
    for part, assets in made:
        if fault := _fault(_with(base, [*kept, assets])):
            broken.append(_broken(part, fault))
        else:
            kept.append(assets)
    return _with(base, kept), broken


def _made(part: Part, taken: set[dg.AssetKey], broken: list[Broken]) -> tuple[Part, Made] | None:
    try:
        made = part.make()
    except Exception as error:
        broken.append(_broken(part, error))
        return None
    keys = {key for assets in made for key in assets.keys}
    if twice := sorted(keys & taken):
        names = ", ".join(key.to_user_string() for key in twice)
        broken.append(Broken(part.kind, part.file, f"another declaration makes {names} already; give it another name"))
        return None
    taken |= keys
    return part, made


def _with(base: dg.Definitions, made: Iterable[Made]) -> dg.Definitions:
    return dg.Definitions.merge(base, dg.Definitions(assets=[one for assets in made for one in assets]))


def _fault(definitions: dg.Definitions) -> Exception | None:
    """Why the definitions do not load; what they are resolved to is kept, so the code server does not do it again."""
    try:
        dg.Definitions.validate_loadable(definitions)
    except Exception as error:
        return error
    return None


def _broken(part: Part, error: Exception) -> Broken:
    why = f"{type(error).__name__}: {' '.join(str(error).split())}"
    return Broken(part.kind, part.file, why, "".join(traceback.format_exception(error)))
