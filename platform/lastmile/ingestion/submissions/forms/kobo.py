"""The JSON of a REST service of KoboToolbox: questions by `group/question`, repeats as lists, its own fields by `_...`.

An edit has an `_uuid` of its own and names the version it replaces in `meta/deprecatedID`; newer servers name the first
one in `meta/rootUuid`. Attachments stay at Kobo: a row has the file's name, as the answer of its question.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from lastmile.contracts.form import Review
from lastmile.errors import Malformed
from lastmile.ingestion.submissions.forms.version import Answers, Version, identifier, moment, optional

_OWN = ("_", "meta/", "formhub/")
_REVIEWS: dict[str, Review] = {
    "validation_status_approved": "approved",
    "validation_status_not_approved": "rejected",
    "validation_status_on_hold": "issues",
}


def versions(found: Any, now: datetime) -> list[Version]:
    """One submission, a list of them, or a page of the data API. Raises Malformed."""
    if isinstance(found, dict) and "_uuid" not in found and isinstance(found.get("results"), list):
        found = found["results"]
    return [_version(one, now) for one in (found if isinstance(found, list) else [found])]


def _version(found: Any, now: datetime) -> Version:
    if not isinstance(found, dict):
        raise Malformed(f"expected a submission of KoboToolbox, a JSON object; found {found!r:.100}")
    named = "_uuid" if found.get("_uuid") is not None else "meta/instanceID"
    instance = identifier(found.get(named), named)
    deprecates = optional(found.get("meta/deprecatedID"), "meta/deprecatedID")
    submitted = moment(found.get("_submission_time"), now)
    review, at = _review(found.get("_validation_status"), edited=deprecates is not None, otherwise=submitted)
    return Version(
        instance=instance,
        root=optional(found.get("meta/rootUuid"), "meta/rootUuid"),
        deprecates=None if deprecates == instance else deprecates,
        at=at,
        submitted=submitted,
        answers=_answers(found),
        review=review,
    )


def _review(found: Any, edited: bool, otherwise: datetime) -> tuple[Review, datetime]:
    """The state, and since when it is so."""
    state: Review = "edited" if edited else "received"
    if not isinstance(found, Mapping):
        return state, otherwise
    known = _REVIEWS.get(str(found.get("uid")))
    if known is None:
        return state, otherwise
    try:
        return known, datetime.fromtimestamp(float(found["timestamp"]), UTC)
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return known, otherwise


def _answers(found: Mapping[str, Any]) -> Answers:
    answers = Answers()
    for path, value in found.items():
        if path.startswith(_OWN):
            continue
        if isinstance(value, list) and any(isinstance(one, dict) for one in value):
            answers.repeats[path] = [_entry(one, path) for one in value if isinstance(one, dict)]
        else:
            answers.values[path] = value
    return answers


def _entry(found: Mapping[str, Any], repeat: str) -> Answers:
    """An entry of a repeat, whose paths are those within it."""
    return _answers({path.removeprefix(f"{repeat}/"): value for path, value in found.items()})
