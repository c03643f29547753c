"""What ODK Central gives: a submission of its OData feed, a page of them, or an event of `central-webhook`.

    {"__id": "uuid:...", "__system": {"submissionDate", "updatedAt", "edits", "reviewState", "deletedAt"}, ...}
    {"value": [submission, ...]}
    {"type": "submission.create", "id": "uuid:...", "data": {"xml": "<data ...>"}}
    {"type": "submission.update", "id": "uuid:...", "data": {"reviewState": "approved"}}    (or "xml" again)

A submission of the feed is how it stands now: `__id` is its own for good, `meta/instanceID` that of its newest version.
Repeats are there with `$expand=*`; without, those known from earlier deliveries stay. Events come without a time, so of
two reviews the one that came last counts.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any

from lastmile.contracts.form import Review
from lastmile.errors import Malformed, UserError
from lastmile.ingestion.submissions.forms.version import Answers, Version, identifier, moment, optional
from lastmile.ingestion.submissions.forms.xforms import answers_of_xml

_REVIEWS: dict[str, Review] = {
    "received": "received",
    "edited": "edited",
    "hasIssues": "issues",
    "approved": "approved",
    "rejected": "rejected",
}
_LINK = "@odata.navigationLink"


def versions(found: Any, now: datetime, repeats: Collection[str] = ()) -> list[Version]:
    """`repeats` are those of the form. Raises Malformed for what is none of these, UserError
    for an event that says nothing."""
    if isinstance(found, dict):
        if "__id" in found:
            return [_submission(found, now)]
        if isinstance(found.get("value"), list):
            return [_submission(one, now) for one in found["value"]]
        if "type" in found:
            return [_event(found, now, repeats)]
    raise Malformed(
        "expected a submission of ODK Central's OData feed (with `__id`), a page of them (with `value`), or an event"
        f" (with `type`); found {found!r:.100}"
    )


def _submission(found: Any, now: datetime) -> Version:
    if not isinstance(found, dict):
        raise Malformed(f"expected a submission, a JSON object; found {found!r:.100}")
    root = identifier(found.get("__id"), "__id")
    system, meta = _object(found.get("__system")), _object(found.get("meta"))
    submitted = moment(system.get("submissionDate"), now)
    return Version(
        instance=optional(meta.get("instanceID"), "meta/instanceID") or root,
        root=root,
        deprecates=None,
        at=moment(system.get("deletedAt"), moment(system.get("updatedAt"), submitted)),
        submitted=submitted,
        edits=_count(system.get("edits")),
        answers=_answers(found),
        review=_review(system.get("reviewState")),
        deleted=system.get("deletedAt") is not None,
    )


def _event(found: Mapping[str, Any], now: datetime, repeats: Collection[str]) -> Version:
    kind, data = str(found["type"]), _object(found.get("data"))
    if not kind.startswith("submission."):
        raise Malformed(f"expected an event of a submission, found {kind!r:.100}; send others elsewhere")
    named = identifier(found.get("id"), "id")
    if kind == "submission.delete":
        return Version(named, None, None, now, now, deleted=True, event=True)
    if isinstance(data.get("xml"), str):
        answers, instance, deprecates = answers_of_xml(data["xml"], repeats)
        instance = instance or named
        root = named if named not in (instance, deprecates) else None
        review: Review | None = "edited" if deprecates else None
        return Version(instance, root, deprecates, now, now, answers=answers, review=review, event=True)
    if "reviewState" in data:
        return Version(named, None, None, now, now, review=_review(data["reviewState"]), event=True)
    raise UserError(f"{kind}: expected `xml` or `reviewState` in `data`, found {', '.join(data) or 'neither'}")


def _review(found: Any) -> Review:
    if found is None:
        return "received"
    if not isinstance(found, str) or found not in _REVIEWS:
        raise Malformed(f"reviewState: expected {', '.join(_REVIEWS)} or null, found {found!r:.100}")
    return _REVIEWS[found]


def _count(found: Any) -> int:
    return int(found) if isinstance(found, str) and found.isdecimal() and len(found) < 10 else 0


def _object(found: Any) -> Mapping[str, Any]:
    return found if isinstance(found, dict) else {}


def _answers(found: Mapping[str, Any]) -> Answers:
    answers = Answers()
    for path, value in _flat(found, ""):
        if path.endswith(_LINK):
            answers.repeats.setdefault(path.removesuffix(_LINK), None)
        elif isinstance(value, list) and all(isinstance(one, dict) for one in value):
            answers.repeats[path] = [_answers(one) for one in value]
        else:
            answers.values[path] = value
    return answers


def _flat(found: Mapping[str, Any], above: str) -> Iterator[tuple[str, Any]]:
    """Groups are objects, except for a place, which is GeoJSON."""
    for name, value in found.items():
        if not above and (name.startswith(("__", "@")) or name == "meta"):
            continue
        if isinstance(value, dict) and not ("type" in value and "coordinates" in value):
            yield from _flat(value, f"{above}{name}/")
        elif not name.startswith("__"):
            yield f"{above}{name}", value
