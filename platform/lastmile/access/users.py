"""Users: people who sign in, with a password of theirs or by their organisation's own sign-in."""

import re
from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection
from psycopg.errors import UniqueViolation
from psycopg.rows import class_row

from lastmile.access import audit
from lastmile.access.changes import announce
from lastmile.access.passwords import hashed, matches
from lastmile.access.principal import Principal
from lastmile.access.roles import ALLOWED, USER_ROLES, Role
from lastmile.errors import UserError

_COLUMNS = "id, name, role, issuer, created_at, created_by, disabled_at"
_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,99}")


@dataclass(frozen=True)
class User:
    """A row of access.users, without what proves it."""

    id: int
    name: str
    role: Role
    #: Of an organisation's own sign-in; None where the user has a password.
    issuer: str | None
    created_at: datetime
    created_by: str
    disabled_at: datetime | None

    def principal(self, session: str | None = None) -> Principal:
        return Principal(f"user:{self.name}", self.role, ALLOWED[self.role], session=session)


def add(connection: Connection, name: str, role: Role, password: str, by: str) -> User:
    """Raises UserError where the name is in use or none, the role is none, or the password cannot be one."""
    check(name, role)
    try:
        return _insert(connection, (name, role, hashed(password), None, None, by))
    except UniqueViolation:
        raise UserError(f"there is a user {name!r} already; choose another name") from None


def of_issuer(connection: Connection, issuer: str, subject: str, name: str, role: Role) -> User:
    """The user whom an organisation's sign-in names so: made at the first time, with the role that it says each time.

    Raises UserError where another user has the name.
    """
    check(name, role)
    with connection.transaction(), connection.cursor(row_factory=class_row(User)) as cursor:
        known = cursor.execute(
            f"UPDATE access.users SET role = %s WHERE (issuer, subject) = (%s, %s) RETURNING {_COLUMNS}",
            [role, issuer, subject],
        ).fetchone()
    if known:
        return known
    try:
        return _insert(connection, (name, role, None, issuer, subject, issuer))
    except UniqueViolation:
        raise UserError(f"there is a user {name!r} with another sign-in; an admin renames or removes one") from None


def _insert(connection: Connection, values: tuple[str | None, ...]) -> User:
    with connection.transaction(), connection.cursor(row_factory=class_row(User)) as cursor:
        made = cursor.execute(
            "INSERT INTO access.users (name, role, password_hash, issuer, subject, created_by)"
            f" VALUES (%s, %s, %s, %s, %s, %s) RETURNING {_COLUMNS}",
            values,
        ).fetchall()[0]
        audit.record(connection, audit.Entry(str(values[-1]), "add user", f"{made.name}, {made.role}"))
        announce(connection)
    return made


def signed_in(connection: Connection, name: str, password: str) -> User | None:
    """The user with this name and password, unless disabled; otherwise None, after as long."""
    row = connection.execute(
        "SELECT password_hash FROM access.users WHERE name = %s AND disabled_at IS NULL", [name]
    ).fetchone()
    return named(connection, name) if matches(password, row[0] if row else None) else None


def named(connection: Connection, name: str) -> User:
    """Raises UserError where there is none."""
    with connection.cursor(row_factory=class_row(User)) as cursor:
        found = cursor.execute(f"SELECT {_COLUMNS} FROM access.users WHERE name = %s", [name]).fetchone()
    if found is None:
        raise UserError(f"there is no user {name!r}; `lastmile users list` shows those there are")
    return found


def users(connection: Connection) -> list[User]:
    with connection.cursor(row_factory=class_row(User)) as cursor:
        return cursor.execute(f"SELECT {_COLUMNS} FROM access.users ORDER BY name").fetchall()


def exist(connection: Connection) -> bool:
    return connection.execute("SELECT FROM access.users LIMIT 1").rowcount == 1


def change_role(connection: Connection, name: str, role: Role, by: str) -> User:
    check(name, role)
    return _change(connection, name, "role = %s", role, by, f"change role to {role}")


def change_password(connection: Connection, name: str, password: str, by: str) -> User:
    """And end the user's sessions. Raises UserError for a user of an organisation's sign-in."""
    if named(connection, name).issuer:
        raise UserError(f"{name} signs in with an organisation's own sign-in, and has no password here")
    return _change(connection, name, "password_hash = %s", hashed(password), by, "change password", ends_sessions=True)


def disable(connection: Connection, name: str, by: str) -> User:
    """No more sign-in, and the end of all sessions. Raises UserError for the last admin there is."""
    with connection.transaction():
        admins = connection.execute(
            "SELECT name FROM access.users WHERE role = 'admin' AND disabled_at IS NULL FOR UPDATE"
        ).fetchall()
        if admins == [(name,)]:
            raise UserError(f"{name} is the last admin; add another one first")
        return _change(connection, name, "disabled_at = coalesce(disabled_at, now())", None, by, "disable", True)


def enable(connection: Connection, name: str, by: str) -> User:
    return _change(connection, name, "disabled_at = NULL", None, by, "enable")


def _change(
    connection: Connection, name: str, change: str, value: str | None, by: str, what: str, ends_sessions: bool = False
) -> User:
    user = named(connection, name)
    with connection.transaction():
        given: list[object] = [user.id] if value is None else [value, user.id]
        connection.execute(f"UPDATE access.users SET {change} WHERE id = %s".encode(), given)
        if ends_sessions:
            connection.execute(
                "UPDATE access.sessions SET revoked_at = now() WHERE user_id = %s AND revoked_at IS NULL", [user.id]
            )
        audit.record(connection, audit.Entry(by, f"{what} of user", name))
        announce(connection)
    return named(connection, name)


def check(name: str, role: str) -> None:
    """Raises UserError where no user can have the name or the role."""
    if not _NAME.fullmatch(name):
        raise UserError(
            f"{name!r} cannot be a user's name: expected lower-case letters, digits and . _ @ + -, beginning with one"
            " of the first two, such as ada or ada@example.org"
        )
    if role not in USER_ROLES:
        raise UserError(f"expected one of the roles {', '.join(USER_ROLES)}; found {role!r}")
