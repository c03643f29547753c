"""The address of the warehouse in the form that each client needs, and connections to it.

An address contains a password, so no message from here shows an address, or any part of one that may contain it.
"""

import os
from urllib.parse import quote, urlencode

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from lastmile.errors import Unreachable, UserError
from lastmile.settings import Settings

#: Detect a vanished peer within about a minute; give up within seconds on one that never answers.
CLIENT: dict[str, str | int] = {
    "application_name": "lastmile",
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
}


def database_url(settings: Settings) -> str:
    """The database this process is configured with. Raises UserError where there is none."""
    if settings.given_database_url is None:
        raise UserError(
            "no database: LASTMILE_DATABASE_URL is not set. `lastmile up` sets it for what it starts; for another"
            ' program run `eval "$(lastmile env)"` first.'
        )
    return settings.given_database_url


def connect(url: str, *, autocommit: bool = True) -> psycopg.Connection:
    """A connection in autocommit mode: transactions are explicit.

    Raises UserError where the address is malformed, within seconds Unreachable where nothing answers or denies access.
    """
    parts = _parts(url)
    try:
        return psycopg.connect(make_conninfo(url, **CLIENT), autocommit=autocommit)
    except psycopg.OperationalError as error:
        where = f"{parts.get('host', 'localhost')}:{parts.get('port', 5432)}/{parts.get('dbname', '')}"
        raise Unreachable(f"cannot connect to Postgres at {where}: {_reason(error)}") from None


def dagster_url(url: str) -> str:
    """The same database for Dagster's storage, its tables in schema `dagster`.

    The driver is explicit because SQLAlchemy 2.1 reads a bare `postgresql://` as psycopg 3, with which dagster-postgres
    sends `NOTIFY run_events, $1`, a syntax error.
    """
    parts = _parts(url)
    user, password, host = (parts.pop(name, "") for name in ("user", "password", "host"))
    port, database = parts.pop("port", ""), parts.pop("dbname", "")
    if host.startswith("/"):  # the folder of a socket
        parts["host"], host = host, ""
    parts["options"] = f"{parts.get('options', '')} -csearch_path=dagster".strip()
    account = f"{quote(user, safe='')}:{quote(password, safe='')}@" if user else ""
    address = f"[{host}]" if ":" in host else host
    query = urlencode(parts, quote_via=quote)
    return f"postgresql+psycopg2://{account}{address}{f':{port}' if port else ''}/{quote(database, safe='')}?{query}"


def libpq_environment(url: str) -> dict[str, str]:
    """The same address as environment variables of psql, pg_dump and dbt's profile."""
    parts = _parts(url)
    return {
        "PGHOST": parts.get("host", "localhost"),
        "PGPORT": parts.get("port", "5432"),
        "PGUSER": parts.get("user", ""),
        "PGPASSWORD": parts.get("password", ""),
        "PGDATABASE": parts.get("dbname", parts.get("user", "")),
        "PGSSLMODE": parts.get("sslmode") or os.environ.get("PGSSLMODE") or "prefer",
    }


def _parts(url: str) -> dict[str, str]:
    malformed = UserError(
        "LASTMILE_DATABASE_URL is not the address of a Postgres: expected postgresql://user:password@host:5432/database,"
        " with special characters of the password written as %40 and the like"
    )
    if not url.startswith(("postgresql://", "postgres://")):
        raise malformed
    try:
        parts = {name: str(value) for name, value in conninfo_to_dict(url).items() if value is not None}
    except psycopg.ProgrammingError:
        raise malformed from None  # its message may quote the password
    if "@" in parts.get("host", "") or "@" in parts.get("dbname", ""):  # an @ or / in the password cut it short
        raise malformed
    return parts


def _reason(error: psycopg.OperationalError) -> str:
    text = " ".join(str(error).split())
    if "password authentication failed" in text or "no password supplied" in text:
        return "wrong user or password; check LASTMILE_DATABASE_URL"
    if "does not exist" in text:
        return f"{text.split('FATAL:')[-1].strip()}; create it or correct LASTMILE_DATABASE_URL"
    for sign in ("Connection refused", "timeout expired", "could not translate host name", "failed to resolve host"):
        if sign in text:
            return f"{sign.lower()}; is the server up, and LASTMILE_DATABASE_URL right?"
    return text.removeprefix("connection failed: ")
