"""Feature sets as frames for a notebook or a script, read from the store: whether the platform is up does not matter.

eval "$(lastmile env)"

from lastmile.learning import read_features
rows = read_features("household_vulnerability", as_of=date(2019, 1, 1))
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime

import pandas as pd

from lastmile.errors import UserError
from lastmile.learning.declarations.feature_set import FeatureSet
from lastmile.learning.declarations.loading import load_features
from lastmile.learning.features.as_of import known_at
from lastmile.learning.features.building import stored
from lastmile.project import Project
from lastmile.settings import Settings
from lastmile.store import Store, open_store


@dataclass(frozen=True)
class Known:
    """A declared feature set and the partitions of it that were made."""

    features: FeatureSet
    partitions: list[str]


def feature_sets() -> dict[str, Known]:
    """Every feature set of the project, by name."""
    settings = _settings()
    store = open_store(settings)
    declared = load_features(settings.assets)
    return {name: Known(one.value, stored(one.value).partitions(store)) for name, one in declared.items()}


def read_features(name: str, as_of: date | None = None) -> pd.DataFrame:
    """The rows of a feature set with their targets, as they were known at the first moment of a day; see `known_at`.

    Without a day, or with one that is not past, all there are. Raises UserError for a name that no feature set has, and
    where no partition was made yet.
    """
    settings = _settings()
    declared = load_features(settings.assets)
    if name not in declared:
        wrong = "".join(f" {broken}." for broken in declared.broken)
        raise UserError(f"no feature set {name!r}; there are: {', '.join(declared) or 'none'}.{wrong}")
    return rows_of(declared[name].value, open_store(settings), as_of)


def rows_of(features: FeatureSet, store: Store, as_of: date | None = None) -> pd.DataFrame:
    """The same, of a feature set at hand."""
    rows = stored(features).read(store)
    return rows if as_of is None or as_of >= datetime.now(UTC).date() else known_at(features, rows, as_of)


def _settings() -> Settings:
    if project := Project.find():
        project.make_importable()
    return Settings.from_environment()
