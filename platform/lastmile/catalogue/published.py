"""The catalogue as published in the warehouse: written where the declarations are loaded, read everywhere else."""

from typing import Any

from psycopg import Connection
from psycopg.types.json import Jsonb

from lastmile.catalogue.entries import Catalogue, Kind
from lastmile.errors import UserError

CHANNEL = "catalogue_changes"
_PARTS: dict[Kind, str] = {
    "dataset": "datasets",
    "form": "forms",
    "feature_set": "feature_sets",
    "model": "models",
    "relation": "relations",
}


def publish(connection: Connection, found: Catalogue) -> bool:
    """Make the published catalogue this one, all or nothing; returns whether anything was different."""
    wanted = {(kind, name): body for kind, part in _PARTS.items() for name, body in _bodies(found, part)}
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('catalogue.entries'))")
        rows = connection.execute("SELECT kind, name, body FROM catalogue.entries").fetchall()
        known = {(kind, name): body for kind, name, body in rows}
        if known == wanted:
            return False
        for kind, name in known.keys() - wanted.keys():
            connection.execute("DELETE FROM catalogue.entries WHERE (kind, name) = (%s, %s)", [kind, name])
        changed = [(kind, name, body) for (kind, name), body in wanted.items() if known.get((kind, name)) != body]
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO catalogue.entries (kind, name, body) VALUES (%s, %s, %s)"
                " ON CONFLICT (kind, name) DO UPDATE SET body = excluded.body, published_at = now()",
                [(kind, name, Jsonb(body)) for kind, name, body in changed],
            )
        connection.execute("SELECT pg_notify(%s, '')", [CHANNEL])
    return True


def read(connection: Connection) -> Catalogue:
    """What is published; empty where nothing is."""
    parts: dict[str, dict[str, Any]] = {part: {} for part in _PARTS.values()}
    for kind, name, body in connection.execute("SELECT kind, name, body FROM catalogue.entries ORDER BY kind, name"):
        if kind in _PARTS:  # newer code may publish more
            parts[_PARTS[kind]][name] = body
    return Catalogue.model_validate(parts)


def personal_columns(connection: Connection) -> frozenset[str]:
    """Names of columns that are personal anywhere. Raises UserError while that is not published: it is not nothing."""
    found = read(connection)
    if not found.datasets:
        raise UserError("which columns are personal is not published yet: `lastmile up` does so; start it once")
    return found.personal


def version(connection: Connection) -> str:
    """Another text after each change of what is published."""
    row = connection.execute("SELECT count(*) || ' ' || coalesce(max(published_at)::text, '') FROM catalogue.entries")
    return str((row.fetchone() or ("",))[0])


def _bodies(found: Catalogue, part: str) -> list[tuple[str, dict[str, Any]]]:
    return [(name, one.model_dump(mode="json")) for name, one in getattr(found, part).items()]
