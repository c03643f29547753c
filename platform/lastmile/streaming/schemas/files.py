"""A registry of our own: objects in the store, so that all processes of an installation have the same one.

Whatever is there was written by a put that only one of many can win, and is never changed: a schema by its number, a
version of a subject by its. So numbers are given once, without a lock, and what messages name is there for good. Of two
that register at once, one finds the number gone and looks again.

    registry/schemas/0000000001.json        {"schema": "...", "schemaType": "JSON"}
    registry/subjects/orders-value/000001.json   {"id": 1}
    registry/subjects/orders-value/000001.deleted
    registry/levels/orders-value.json       {"compatibility": "FULL"}
"""

from collections.abc import Iterable
from typing import Any, cast, get_args
from urllib.parse import quote, unquote

import orjson

from lastmile.errors import UserError
from lastmile.store import Store
from lastmile.store.stored_object import Missing
from lastmile.streaming.schemas.compatibility import broken
from lastmile.streaming.schemas.registry import LATEST, Level
from lastmile.streaming.schemas.schema import Invalid, Registered, Schema, Unknown
from lastmile.streaming.schemas.validity import expect_valid

_ROOT = "registry"
_SCHEMAS, _SUBJECTS, _LEVELS = f"{_ROOT}/schemas", f"{_ROOT}/subjects", f"{_ROOT}/levels"
_DELETED = ".deleted"
DEFAULT_LEVEL: Level = "BACKWARD"
LEVELS: tuple[Level, ...] = get_args(Level)
_LONGEST_SUBJECT = 200


class Incompatible(UserError):
    """A schema that would break what the level of its subject promises; `broken` says what, a sentence each."""

    def __init__(self, subject: str, level: Level, found: list[str]) -> None:
        super().__init__(f"not {level} compatible with what {subject} has: {'; '.join(found)}")
        self.broken = found


class FileRegistry:
    """The registry in a store. As Registry; what is deleted is hidden, its numbers are not given again."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._schemas: dict[int, Schema] = {}
        self._numbers: dict[str, int] = {}

    def by_id(self, number: int) -> Schema:
        if number not in self._schemas:
            try:
                found = orjson.loads(self._store.read(_schema_key(number)))
            except Missing:
                raise Unknown(f"the registry has no schema of number {number}") from None
            self._schemas[number] = Schema.from_json(found)
        return self._schemas[number]

    def subjects(self, deleted: bool = False) -> list[str]:
        keys = {one.key.split("/")[-2] for one in self._store.list(_SUBJECTS)}
        names = sorted(_subject(key) for key in keys)
        return [name for name in names if self._versions(name, deleted)]

    def versions(self, subject: str, deleted: bool = False) -> list[int]:
        found = self._versions(subject, deleted)
        if not found:
            raise Unknown(f"the registry has no subject {subject!r}")
        return found

    def version(self, subject: str, version: int | str = LATEST, deleted: bool = False) -> Registered:
        there = self.versions(subject, deleted)
        number = there[-1] if version in (LATEST, -1) else version
        if number not in there:
            raise Unknown(f"subject {subject!r} has no version {version}; there are {', '.join(map(str, there))}")
        return self._registered(subject, int(number))

    def lookup(self, subject: str, schema: Schema, deleted: bool = False) -> Registered | None:
        """The version of the subject that is this schema; None where none is. Raises Unknown, Invalid."""
        digest = schema.digest
        for version in reversed(self.versions(subject, deleted)):
            found = self._registered(subject, version)
            if found.schema.digest == digest:
                return found
        return None

    def register(self, subject: str, schema: Schema) -> Registered:
        _expect_subject(subject)
        expect_valid(self, schema)
        while True:
            version = max(self._versions(subject, deleted=True), default=0) + 1
            if self._versions(subject) and (there := self.lookup(subject, schema)):
                return there
            if found := self.broken_by(subject, schema):
                raise Incompatible(subject, self.level(subject), found)
            number = self._number(schema)
            try:  # which fails where another one became that version since
                self._store.put(_version_key(subject, version), orjson.dumps({"id": number}), create_only=True)
            except FileExistsError:
                continue
            return Registered(subject, version, number, schema)

    def level(self, subject: str | None = None) -> Level:
        return self.own_level(subject) or self.own_level(None) or DEFAULT_LEVEL

    def own_level(self, subject: str | None) -> Level | None:
        """The level that was set for the subject, or for all; None where none was."""
        try:
            return cast("Level", orjson.loads(self._store.read(_level_key(subject)))["compatibility"])
        except Missing:
            return None

    def set_level(self, level: Level | None, subject: str | None = None) -> None:
        """None removes it. Raises Invalid for one that there is not."""
        if level is None:
            self._store.delete(_level_key(subject))
            return
        if level not in LEVELS:
            raise Invalid(f"no compatibility level {level!r}; there are {', '.join(LEVELS)}")
        self._store.put(_level_key(subject), orjson.dumps({"compatibility": level}))

    def broken_by(self, subject: str, schema: Schema, version: int | str | None = None) -> list[str]:
        """As Registry; compared to one `version` where that is given, else to those that the level names."""
        expect_valid(self, schema)
        there = [self.version(subject, version).version] if version is not None else self._versions(subject)
        earlier = [self._registered(subject, one) for one in there]
        return broken(self, self.level(subject), schema, earlier)

    def subjects_of(self, number: int) -> list[tuple[str, int]]:
        """The versions that are the schema of this number. Raises Unknown."""
        self.by_id(number)
        return [
            (subject, version)
            for subject in self.subjects()
            for version in self._versions(subject)
            if self._registered(subject, version).id == number
        ]

    def referring_to(self, subject: str, version: int) -> list[int]:
        """The numbers of the schemas that refer to a version."""
        self._learn()
        return sorted(
            number
            for number, schema in self._schemas.items()
            if any((one.subject, one.version) == (subject, version) for one in schema.references)
        )

    def delete(self, subject: str, version: int) -> int:
        """Hide a version. Raises Unknown, and Invalid where another schema refers to it."""
        found = self.version(subject, version)
        if others := self.referring_to(subject, found.version):
            raise Invalid(f"schemas {', '.join(map(str, others))} refer to version {found.version} of {subject!r}")
        self._store.put(_version_key(subject, found.version, _DELETED), b"")
        return found.version

    def _versions(self, subject: str, deleted: bool = False) -> list[int]:
        keys = [one.key.rpartition("/")[2] for one in self._store.list(f"{_SUBJECTS}/{_quoted(subject)}")]
        numbers = {int(key.partition(".")[0]) for key in keys}
        hidden = {int(key.partition(".")[0]) for key in keys if key.endswith(_DELETED)}
        return sorted(numbers if deleted else numbers - hidden)

    def _registered(self, subject: str, version: int) -> Registered:
        number = orjson.loads(self._store.read(_version_key(subject, version)))["id"]
        return Registered(subject, version, number, self.by_id(number))

    def _number(self, schema: Schema) -> int:
        digest = schema.digest
        while True:
            self._learn()
            if digest in self._numbers:
                return self._numbers[digest]
            number = max(self._schemas, default=0) + 1
            try:
                self._store.put(_schema_key(number), orjson.dumps(schema.as_json()), create_only=True)
            except FileExistsError:
                continue
            return number

    def _learn(self) -> None:
        """Read the schemas that were added since."""
        for number in _numbers(one.key for one in self._store.list(_SCHEMAS)):
            schema = self.by_id(number)
            self._numbers.setdefault(schema.digest, number)


def _numbers(keys: Iterable[str]) -> list[int]:
    return [int(key.rpartition("/")[2].removesuffix(".json")) for key in keys]


def _schema_key(number: int) -> str:
    return f"{_SCHEMAS}/{number:010}.json"


def _version_key(subject: str, version: int, ending: str = ".json") -> str:
    return f"{_SUBJECTS}/{_quoted(subject)}/{version:06}{ending}"


def _level_key(subject: str | None) -> str:
    return f"{_LEVELS}/{'' if subject is None else 'of-' + _quoted(subject)}".rstrip("/") + ".json"


def _quoted(subject: str) -> str:
    """As a part of a key: `=` where URLs have `%`, which stores treat in their own ways."""
    quoted = quote(subject, safe="").replace("~", "%7E").replace("%", "=")
    return quoted if subject.strip(".") else quoted.replace(".", "=2E")


def _subject(quoted: str) -> str:
    return unquote(quoted.replace("=", "%"))


def _expect_subject(subject: str) -> None:
    if not subject or len(subject) > _LONGEST_SUBJECT or any(ord(one) < 32 for one in subject):
        raise Invalid(f"a subject has 1 to {_LONGEST_SUBJECT} characters, none of them a control character")


def as_answer(found: Registered) -> dict[str, Any]:
    """A version as Confluent's protocol has it."""
    return {"subject": found.subject, "version": found.version, "id": found.id, **found.schema.as_json()}
