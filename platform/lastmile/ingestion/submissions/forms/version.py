"""One version of a submission, as it was delivered, whichever system it is from."""

import hashlib
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

from lastmile.contracts.form import Review
from lastmile.errors import Malformed, UserError

MOST_ID_CHARACTERS = 256


_ID = re.compile(rf"[\x20-\x7e]{{1,{MOST_ID_CHARACTERS}}}")


@dataclass(frozen=True)
class Answers:
    """Answers by the path of their question, such as `farm/land_ha`; repeats by theirs, None where left out."""

    values: dict[str, Any] = field(default_factory=dict)
    repeats: "dict[str, list[Answers] | None]" = field(default_factory=dict)


@dataclass(frozen=True)
class Version:
    """`instance` names this version, `root` the submission, `deprecates` the version it replaces.

    `edits` counts the versions before it, where its sender says so; `at` is when it or its review changed last, as far
    as is known. Without answers it only says something about the submission. An `event` is known by when it came.
    """

    instance: str
    root: str | None
    deprecates: str | None
    at: datetime
    submitted: datetime
    edits: int | None = None
    answers: Answers | None = None
    review: Review | None = None
    deleted: bool = False
    event: bool = False

    @property
    def names(self) -> list[str]:
        """Every version of the submission that it names."""
        return sorted({self.instance, *filter(None, (self.root, self.deprecates))})

    def dumped(self, option: int | None = None) -> bytes:
        """Raises Malformed for a text that is none."""
        try:
            return orjson.dumps(self, option=option)
        except TypeError as error:
            raise Malformed(f"submission {self.instance}: expected JSON that can be stored; {error}") from None

    @property
    def digest(self) -> bytes:
        """Equal for the same delivery; of answers in an event, whenever they came."""
        said = self
        if self.event and self.answers:
            said = Version(self.instance, self.root, self.deprecates, _NEVER, _NEVER, answers=self.answers)
        return hashlib.sha256(said.dumped(orjson.OPT_SORT_KEYS)).digest()


_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def loaded(text: bytes) -> Version:
    """What `dumped` wrote."""
    found = orjson.loads(text)
    answers, at, submitted = found.pop("answers"), found.pop("at"), found.pop("submitted")
    return Version(
        **found,
        at=datetime.fromisoformat(at),
        submitted=datetime.fromisoformat(submitted),
        answers=_answers(answers) if answers is not None else None,
    )


def _answers(found: dict[str, Any]) -> Answers:
    repeats = found["repeats"].items()
    return Answers(found["values"], {path: None if some is None else [*map(_answers, some)] for path, some in repeats})


def identifier(found: Any, what: str) -> str:
    """The id of an instance, without `uuid:` before it. Raises Malformed."""
    if not isinstance(found, str) or not _ID.fullmatch(found):
        raise Malformed(
            f"{what}: expected an id of 1 to {MOST_ID_CHARACTERS} printable ASCII characters, found {found!r:.100}"
        )
    bare = found
    while bare.startswith("uuid:"):
        bare = bare.removeprefix("uuid:")
    return bare or found


def optional(found: Any, what: str) -> str | None:
    """Raises UserError for one that is none."""
    if found in (None, ""):
        return None
    try:
        return identifier(found, what)
    except Malformed as refused:  # what is no id of another submission does not make this one malformed
        raise UserError(str(refused)) from None


def moment(found: Any, otherwise: datetime) -> datetime:
    """A time as ODK and Kobo write it; of one without a zone UTC, of anything else `otherwise`."""
    if not isinstance(found, str):
        return otherwise
    try:
        time = datetime.fromisoformat(found)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return otherwise
