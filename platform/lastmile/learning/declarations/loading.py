"""Finding the feature sets, models and reports of a package's domains, each with where it was declared."""

from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Generic, TypeVar

from lastmile.contracts.broken import Declarations
from lastmile.contracts.loading import load
from lastmile.learning.declarations.code_version import code_version
from lastmile.learning.declarations.feature_set import FeatureSet
from lastmile.learning.declarations.model import Model
from lastmile.learning.declarations.report import Report
from lastmile.learning.declarations.weekly_report import WeeklyReport

T = TypeVar("T", FeatureSet, Model, Report, WeeklyReport)


@dataclass(frozen=True)
class Declared(Generic[T]):
    """A declaration and the file it stands in."""

    value: T
    domain: str
    file: Path
    code_version: str


def load_features(assets: str) -> Declarations[Declared[FeatureSet]]:
    """The variable `features` of every file in a domain's `features/`, by name; see `load_contracts`."""
    return load(assets, "features", "features", FeatureSet, _declared)


def load_models(assets: str) -> Declarations[Declared[Model]]:
    """The variable `model` of every file in a domain's `models/`, by name; see `load_contracts`."""
    return load(assets, "models", "model", Model, _declared)


def load_reports(assets: str) -> Declarations[Declared[Report]]:
    """The variable `report` of every file in a domain's `reports/`, by name; see `load_contracts`."""
    return load(assets, "reports", "report", Report, _declared)


def load_weekly_reports(assets: str) -> Declarations[Declared[WeeklyReport]]:
    """The variable `weekly_report` of every file in a domain's `weekly_reports/`, by name; see `load_contracts`."""
    return load(assets, "weekly_reports", "weekly_report", WeeklyReport, _declared)


def _declared(module: ModuleType, value: T) -> Declared[T]:
    domain = module.__name__.split(".")[-3]
    return Declared(value, domain, Path(str(module.__file__)), code_version(module))
