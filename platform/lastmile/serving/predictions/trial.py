"""Rows of a request within a running experiment: which version answers each, and what is logged of it."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from psycopg import Error
from psycopg_pool import PoolTimeout

from lastmile.catalogue import FeatureSetEntry
from lastmile.learning.experiments.assignment import assigned, unit_of
from lastmile.learning.experiments.experiment import Experiment
from lastmile.learning.experiments.exposure_log import Exposure, first_versions
from lastmile.serving.state import Serving

#: Units whose first version is remembered.
_MOST_UNITS = 100_000
Variant = Literal["control", "treatment"]


@dataclass(frozen=True)
class Subject:
    """What a row is about: its entity as the log has it, its unit and its cluster."""

    entity: list[str]
    unit: str
    cluster: str | None


def subject(features: FeatureSetEntry, unit: Sequence[str], known: Mapping[str, Any]) -> Subject | None:
    """None where the row does not say all that identifies it."""
    entity = entity_of(features, known)
    if entity is None or any(known.get(name) is None for name in unit):
        return None
    cluster = known.get(features.group)
    return Subject(entity, unit_of([_text(known[name]) for name in unit]), None if cluster is None else _text(cluster))


def entity_of(features: FeatureSetEntry, known: Mapping[str, Any]) -> list[str] | None:
    """The entity's columns and the first day of the partition, as text; None where one is missing."""
    values = [known.get(name) for name in (*features.entity, features.partition_column)]
    return None if any(value is None for value in values) else [_text(value) for value in values]


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        value = value.date()
    return value.isoformat() if isinstance(value, date) else str(value)


class FirstVersions:
    """The version that each unit was answered by first, by this process or another: it stays for good."""

    def __init__(self, here: Serving) -> None:
        self._here = here
        self._known: OrderedDict[tuple[str, str], str] = OrderedDict()

    def unknown(self, experiment: Experiment, units: Sequence[str]) -> list[str]:
        return [unit for unit in units if (experiment.name, unit) not in self._known]

    def look_up(self, experiment: Experiment, units: Sequence[str]) -> dict[str, str] | None:
        """Those of the log: call it from a thread. None while the database is away: the hash decides then, which is
        the same for all but units that were answered before the share grew."""
        try:
            with self._here.reading() as connection:
                return first_versions(connection, experiment.name, units)
        except (Error, PoolTimeout):
            return None

    def decide(self, experiment: Experiment, units: Sequence[str], logged: Mapping[str, str] | None) -> list[str]:
        """The version of each unit. In shadow the control answers all."""
        if experiment.share is None:
            return [experiment.control] * len(units)
        return [self._version(experiment, unit, logged) for unit in units]

    def _version(self, experiment: Experiment, unit: str, logged: Mapping[str, str] | None) -> str:
        key = (experiment.name, unit)
        if key in self._known:
            return self._known[key]
        plan = experiment.salt, unit, experiment.share or 0.0, experiment.control, experiment.treatments
        version = (logged or {}).get(unit) or assigned(*plan)
        if logged is not None:
            self._known[key] = version
            while len(self._known) > _MOST_UNITS:
                self._known.popitem(last=False)
        return version


def variant(experiment: Experiment, version: str) -> Variant:
    return "control" if version == experiment.control else "treatment"


def exposure(subject: Subject, version: str, predicted: Mapping[str, list[float]]) -> Exposure:
    return Exposure(subject.entity, subject.unit, subject.cluster, version, dict(predicted))
