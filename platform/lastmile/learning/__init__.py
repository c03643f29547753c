"""Feature sets, models and reports: how a person declares them, and how they are made.

What a declaration needs is imported from here; the rest of the room is the engine's.
"""

from lastmile.learning.declarations.feature_set import FeatureSet
from lastmile.learning.declarations.field import field
from lastmile.learning.declarations.model import ByTime, Classification, Grouped, Model, Regression
from lastmile.learning.declarations.report import Report

__all__ = ["ByTime", "Classification", "FeatureSet", "Grouped", "Model", "Regression", "Report", "field"]
