"""Finding the feature sets, models and reports of a package's domains, each with where it was declared."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Generic, TypeVar

from lastmile.contracts.loading import modules
from lastmile.learning.declarations.code_version import code_version
from lastmile.learning.declarations.feature_set import FeatureSet
from lastmile.learning.declarations.model import Model
from lastmile.learning.declarations.report import Report

T = TypeVar("T", FeatureSet, Model, Report)


@dataclass(frozen=True)
class Declared(Generic[T]):
    """A declaration and the file it stands in."""

    value: T
    domain: str
    file: Path
    code_version: str


def load_features(assets: str) -> dict[str, Declared[FeatureSet]]:
    """The variable `features` of every file in a domain's `features/`, by name. Raises ValueError as `load_models`."""
    return _by_name(assets, "features", "features", FeatureSet)


def load_models(assets: str) -> dict[str, Declared[Model]]:
    """The variable `model` of every file in a domain's `models/`, by name.

    Raises ValueError where a file has none, or two declare the same name.
    """
    return _by_name(assets, "models", "model", Model)


def load_reports(assets: str) -> dict[str, Declared[Report]]:
    """The variable `report` of every file in a domain's `reports/`, by name. Raises ValueError as `load_models`."""
    return _by_name(assets, "reports", "report", Report)


def _by_name(assets: str, room: str, variable: str, kind: type[T]) -> dict[str, Declared[T]]:
    found: dict[str, Declared[T]] = {}
    for module, value in _declarations(assets, room, variable, kind):
        if value.name in found:
            other = found[value.name].file
            raise ValueError(f"{module.__file__}: {kind.__name__} {value.name!r} is declared in {other} already")
        domain = module.__name__.split(".")[-3]
        found[value.name] = Declared(value, domain, Path(str(module.__file__)), code_version(module))
    return found


def _declarations(assets: str, room: str, variable: str, kind: type[T]) -> Iterator[tuple[ModuleType, T]]:
    for module in modules(assets, room):
        value = getattr(module, variable, None)
        if not isinstance(value, kind):
            raise ValueError(  # noqa: TRY004  (it is the file that is wrong)
                f"{module.__file__}: expected a variable `{variable}` of type {kind.__name__}; found {value!r}"
            )
        yield module, value
