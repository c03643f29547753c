"""What a form declares, once: the dataset that its submissions become records of, and those of its repeats.

    form = Form(
        name="household",
        dataset="hhinfo",
        description="The household interview.",
        owner="team:field-data",
        repeats={"crop_repeat": "crop", "lstk_repeat": "lstk"},
        inherit=("hhid", "id_form"),
        partition="year",
        points={"gps": ("gps_lat", "gps_lon")},
    )

A question is the column of its own name; the contract's aliases do the rest.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from lastmile.errors import UserError

#: As ODK Central has them, `issues` for hasIssues. Of KoboToolbox `rejected` is not approved, `issues` on hold.
Review = Literal["received", "edited", "issues", "approved", "rejected"]
REVIEWS: tuple[Review, ...] = get_args(Review)

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_MOST_OF_A_POINT = 4


@dataclass(frozen=True, kw_only=True)
class Form:
    """One form of ODK Central or KoboToolbox. Raises UserError where it says what cannot be done."""

    name: str
    dataset: str
    description: str
    owner: str
    #: By the name of a repeat: the dataset of its entries.
    repeats: Mapping[str, str] = field(default_factory=dict)
    #: Columns of a record that the entries of its repeats get as well, if their dataset has such.
    inherit: tuple[str, ...] = ()
    #: The column whose date or year says the partition; None, or where it is empty: the day of the submission.
    partition: str | None = None
    #: By the name of a question for a place: the columns of its latitude, longitude, altitude and accuracy.
    points: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    #: Review states in which a submission counts; in any other its records are withdrawn.
    accept: tuple[Review, ...] = ("received", "edited", "issues", "approved")

    def __post_init__(self) -> None:
        if faults := list(_faults(self)):
            raise UserError(f"form {self.name}: {'; '.join(faults)}")

    @property
    def datasets(self) -> tuple[str, ...]:
        """Its own, and those of its repeats."""
        return tuple(dict.fromkeys((self.dataset, *self.repeats.values())))


def check(form: Form, columns: Mapping[str, Collection[str]]) -> None:
    """That the datasets it names are there, with the columns it names. Raises UserError."""
    faults = [f"there is no dataset {name!r}" for name in form.datasets if name not in columns]
    if not faults:
        named = [*form.inherit, *filter(None, [form.partition])]
        faults = [f"{form.dataset} has no column {name!r}" for name in named if name not in columns[form.dataset]]
        known = {column for name in form.datasets for column in columns[name]}
        points = [column for columns in form.points.values() for column in columns]
        faults += [f"no dataset of it has a column {name!r}" for name in points if name not in known]
    if faults:
        raise UserError(f"form {form.name}: {'; '.join(faults)}")


def _faults(form: Form) -> list[str]:
    faults = []
    if not _NAME.fullmatch(form.name):
        faults.append(f"expected a name of lower-case letters, digits and _, found {form.name!r}")
    if unknown := [one for one in form.accept if one not in REVIEWS]:
        faults.append(f"accept: expected some of {', '.join(REVIEWS)}, found {', '.join(unknown)}")
    if not form.accept:
        faults.append("accept names no review state, so no submission would count")
    if form.dataset in form.repeats.values():
        faults.append(f"a repeat has the dataset {form.dataset!r} of the form itself; give it one of its own")
    for question, columns in form.points.items():
        if not 1 <= len(columns) <= _MOST_OF_A_POINT:
            faults.append(f"points: expected 1 to {_MOST_OF_A_POINT} columns for {question!r}, found {len(columns)}")
    return faults
