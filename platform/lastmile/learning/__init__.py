"""Feature sets, models and reports: how a person declares them, how they are made, and how rows are read in a notebook.

What a declaration needs is imported from here, when it is first used; the rest of the room is the engine's, and does
without pandas and pandera where it only reads how things stand.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lastmile.learning.declarations.alerts import ModelAlerts
    from lastmile.learning.declarations.feature_set import FeatureSet
    from lastmile.learning.declarations.field import field
    from lastmile.learning.declarations.model import (
        ByTime,
        Classification,
        Floor,
        Grouped,
        Model,
        Promotion,
        Regression,
        Retraining,
        Search,
    )
    from lastmile.learning.declarations.report import Report
    from lastmile.learning.declarations.weekly_report import Section, Week, WeeklyReport
    from lastmile.learning.features.as_of import point_in_time
    from lastmile.learning.features.reading import read_features

__all__ = [
    "ByTime",
    "Classification",
    "FeatureSet",
    "Floor",
    "Grouped",
    "Model",
    "ModelAlerts",
    "Promotion",
    "Regression",
    "Report",
    "Retraining",
    "Search",
    "Section",
    "Week",
    "WeeklyReport",
    "field",
    "point_in_time",
    "read_features",
]

_MODULES = {
    "declarations.alerts": ("ModelAlerts",),
    "declarations.feature_set": ("FeatureSet",),
    "declarations.field": ("field",),
    "declarations.model": (
        "ByTime",
        "Classification",
        "Floor",
        "Grouped",
        "Model",
        "Promotion",
        "Regression",
        "Retraining",
        "Search",
    ),
    "declarations.report": ("Report",),
    "declarations.weekly_report": ("Section", "Week", "WeeklyReport"),
    "features.as_of": ("point_in_time",),
    "features.reading": ("read_features",),
}


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
