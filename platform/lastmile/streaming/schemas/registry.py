"""The registry that this installation uses: Confluent's, or any that speaks its protocol, where one is set; our own."""

from typing import Literal, Protocol

from lastmile.settings import Settings
from lastmile.settings.group import load
from lastmile.settings.kafka import SchemaRegistrySettings
from lastmile.streaming.schemas.schema import Registered, Schema

Level = Literal["NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE"]
LATEST = "latest"


class Registry(Protocol):
    """What the platform needs of a registry. Each raises Unknown where there is no such thing, and UserError where the
    registry cannot be reached."""

    def by_id(self, number: int) -> Schema:
        """The schema that messages name by this number."""

    def subjects(self) -> list[str]:
        """In the order of the alphabet."""

    def versions(self, subject: str) -> list[int]:
        """Oldest first."""

    def version(self, subject: str, version: int | str = LATEST) -> Registered:
        """One version."""

    def register(self, subject: str, schema: Schema) -> Registered:
        """The schema as a version of the subject: the one that it is already, or a new one. Raises Incompatible."""

    def level(self, subject: str | None = None) -> Level:
        """What a new version of the subject has to be compatible with; of one without its own, as of all."""

    def set_level(self, level: Level, subject: str | None = None) -> None:
        """For a subject, or for all that have none of their own."""

    def broken_by(self, subject: str, schema: Schema) -> list[str]:
        """What the schema would break as a new version of the subject, a sentence each."""


def open_registry(settings: Settings) -> Registry:
    """Raises UserError where what is set cannot be."""
    from lastmile.streaming.schemas.confluent import ConfluentRegistry
    from lastmile.streaming.schemas.files import FileRegistry

    given = load(SchemaRegistrySettings).client()
    if given is not None:
        return ConfluentRegistry(given)
    from lastmile.store import open_store

    return FileRegistry(open_store(settings))
