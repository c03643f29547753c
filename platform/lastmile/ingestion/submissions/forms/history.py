"""What of a submission is in force, from all of its versions that are known, whatever order they came in."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import orjson

from lastmile.contracts.form import Review
from lastmile.ingestion.submissions.forms.version import Answers, Version


class Kept(NamedTuple):
    """A version and its place in the order of arrival."""

    place: int
    version: Version


@dataclass(frozen=True)
class Standing:
    """What of a submission is in force; `root` names it."""

    root: str
    answers: Answers | None
    review: Review
    deleted: bool
    submitted: datetime

    @property
    def digest(self) -> bytes:
        return hashlib.sha256(orjson.dumps(self, option=orjson.OPT_SORT_KEYS)).digest()


def standing(kept: Sequence[Kept]) -> Standing:
    """Of the versions of one submission."""
    depths = _depths(kept)
    contents = sorted((one for one in kept if one.version.answers), key=lambda one: _order(one, depths))
    said = _said(kept, depths)
    return Standing(
        _root(kept),
        _merged([one.version.answers for one in contents if one.version.answers]),
        (said.review if said else None) or "received",
        bool(said and said.deleted),
        min(one.version.submitted for one in kept),
    )


def _order(one: Kept, depths: dict[int, int]) -> tuple[int, datetime, int]:
    return depths[one.place], one.version.at, one.place


def _said(kept: Sequence[Kept], depths: dict[int, int]) -> Version | None:
    """The version that says the newest of its review: the newest as it stood, or an event after that."""
    saying = [one for one in kept if one.version.review or one.version.deleted]
    stood = max((one for one in saying if not one.version.event), key=lambda one: _order(one, depths), default=None)
    event = max((one for one in saying if one.version.event), key=lambda one: (one.version.at, one.place), default=None)
    if stood and event:
        return event.version if event.version.at > stood.version.at else stood.version
    newest = stood or event
    return newest.version if newest else None


def _merged(contents: Sequence[Answers]) -> Answers | None:
    """The last, with the repeats that it leaves out as those before had them."""
    if not contents:
        return None
    newest = contents[-1]
    left_out = {path for path, entries in newest.repeats.items() if entries is None}
    if not left_out:
        return newest
    before = {path: some for one in contents for path, some in one.repeats.items() if some is not None}
    return Answers(newest.values, {**newest.repeats, **{path: before.get(path) for path in left_out}})


def _depths(kept: Sequence[Kept]) -> dict[int, int]:
    """How many versions are before each, by its place: as its sender says, or as the versions name one another."""
    parents = _parents(kept)
    roots = {one.version.root for one in kept}
    return {
        one.place: one.version.edits
        if one.version.edits is not None
        else len(_before(one.version.instance, parents, roots))
        for one in kept
    }


def _parents(kept: Sequence[Kept]) -> dict[str, str]:
    return {one.version.instance: one.version.deprecates for one in kept if one.version.deprecates}


def _before(instance: str, parents: dict[str, str], roots: set[str | None]) -> list[str]:
    """The versions before one, the nearest first; of one that is not known, that it is no root counts as one more."""
    found: list[str] = []
    here: str | None = instance
    while (here := parents.get(str(here))) and here not in found and here != instance:
        found.append(here)
    if found and found[-1] not in roots and any(roots - {None}):
        found.append("?")
    return found


def _root(kept: Sequence[Kept]) -> str:
    """As the versions say; else the first one that they lead to."""
    if said := sorted(one.version.root for one in kept if one.version.root):
        return said[0]
    parents = _parents(kept)
    ends = []
    for one in kept:
        before = _before(one.version.instance, parents, {None})
        ends.append(before[-1] if before else one.version.instance)
    return min(ends)
