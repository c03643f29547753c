"""A submission as XML, as OpenRosa says: questions and groups are elements, an element that comes twice is a repeat."""

from collections import Counter
from collections.abc import Collection
from xml.etree.ElementTree import Element, ParseError
from xml.etree.ElementTree import fromstring as parsed

from lastmile.errors import UserError
from lastmile.ingestion.submissions.forms.version import Answers, optional


def answers_of_xml(text: str, repeats: Collection[str]) -> tuple[Answers, str | None, str | None]:
    """Answers, `instanceID` and `deprecatedID`. `repeats` are known ones: with one entry, one looks as a group does.

    Raises UserError.
    """
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise UserError("xml: expected a submission without a document type")
    try:
        root = parsed(text.encode())  # noqa: S314  # it has no document type, so no entities
    except (ParseError, UnicodeEncodeError, ValueError) as error:
        raise UserError(f"xml: expected a submission as XML; {error}") from None
    meta = next((one for one in root if _name(one) == "meta"), None)
    named = {_name(one): one.text for one in meta} if meta is not None else {}
    answers = Answers()
    try:
        _collect(root, "", answers, repeats, top=True)
    except RecursionError:
        raise UserError("xml: expected a submission; it is nested too deeply") from None
    return (
        answers,
        optional(named.get("instanceID"), "meta/instanceID"),
        optional(named.get("deprecatedID"), "meta/deprecatedID"),
    )


def _collect(element: Element, above: str, answers: Answers, repeats: Collection[str], top: bool = False) -> None:
    times = Counter(map(_name, element))
    for child in element:
        name = _name(child)
        path = f"{above}{name}"
        if top and name == "meta":
            continue
        if times[name] > 1 or name in repeats or path in repeats:
            entry = Answers()
            _collect(child, "", entry, repeats)
            entries = answers.repeats.setdefault(path, [])
            if entries is not None:
                entries.append(entry)
        elif len(child):
            _collect(child, f"{path}/", answers, repeats)
        else:
            answers.values[path] = child.text


def _name(element: Element) -> str:
    return element.tag.rpartition("}")[2]
