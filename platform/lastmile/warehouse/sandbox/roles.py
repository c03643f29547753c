"""The roles that queries of people log in as, and what they may read, made and repaired by the owner's connection.

There are two for each database: `<database>_query` reads all columns but the personal ones, `<database>_query_personal`
reads all. dbt makes tables anew, and what was granted on them is gone then: so what is granted is compared with what
should be before each query, which takes some milliseconds, and only differences are written.

Rights that Postgres gives to everybody are withdrawn from everybody, and given to all roles there are but these:
temporary tables, and functions that lock, notify, change settings or cancel. A role that is made later gets them when
a query is prepared next. Functions can be withdrawn by a superuser only; elsewhere the fence alone keeps them out.
"""

import hashlib
import hmac
from collections.abc import Collection
from dataclasses import dataclass

from psycopg import Connection, sql
from psycopg.conninfo import make_conninfo
from psycopg.errors import InsufficientPrivilege

from lastmile.errors import Unreachable

SCHEMAS = (
    "marts",
    "intermediate",
    "staging",
    "features",
    "online",
    "predictions",
    "raw",
    "windows",
    "changes",
    "seeds",
    "snapshots",
    "figures",
)
#: Not declared personal, yet what it holds may be: values that no contract knew.
_NEVER = ("_rescued",)
_MOST_CONNECTIONS = 16
_FUNCTIONS = (
    r"^(pg_(try_)?advisory_|pg_notify$|pg_cancel_backend$|pg_terminate_backend$|pg_stat_get_activity$|set_config$"
    r"|lo_|loread$|lowrite$|dblink|query_to_xml|table_to_xml|cursor_to_xml|schema_to_xml|database_to_xml"
    r"|pg_export_snapshot$|pg_sleep|pg_current_xact_id$|txid_current$|pg_log_backend_memory|pg_stat_get_backend)"
)


@dataclass(frozen=True)
class Role:
    """How queries log in."""

    name: str
    password: str
    is_personal: bool

    @classmethod
    def of(cls, database: str, secret: bytes, is_personal: bool) -> "Role":
        name = f"{database[:40]}_query{'_personal' if is_personal else ''}"
        password = hmac.digest(secret, f"{database} {name}".encode(), hashlib.sha256).hex()
        return cls(name, password, is_personal)

    def url(self, url: str) -> str:
        return make_conninfo(url, user=self.name, password=self.password)


def prepare(connection: Connection, role: Role, personal: Collection[str], *, anew: bool = False) -> None:
    """Make the role what it should be; `anew` writes its password again, where a log-in failed.

    Raises Unreachable where the owner of the database may not do so: it says how one who may does it.
    """
    hidden = [] if role.is_personal else sorted({*personal, *_NEVER})
    try:
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(hashtext('warehouse.sandbox'))")
            if anew or not _exists(connection, role):
                _make(connection, role)
            _withdraw(connection)
            _grant(connection, role, hidden)
    except InsufficientPrivilege as error:
        raise Unreachable(
            f"queries run as the role {role.name}, which the owner of the database may not make or repair"
            f" ({error.diag.message_primary}): a superuser runs"
            f" `ALTER ROLE {_me(connection)} CREATEROLE`"
        ) from None


def visible_columns(connection: Connection, role: Role) -> dict[str, list[str]]:
    """What the role may name, by `schema.table`."""
    found = connection.execute(
        f"SELECT nspname || '.' || relname, array_agg(attname::text ORDER BY attnum) {_COLUMNS}"
        " AND has_column_privilege(%(role)s, c.oid, attnum, 'SELECT') GROUP BY 1 ORDER BY 1",
        {"schemas": list(SCHEMAS), "role": role.name},
    )
    return dict(found.fetchall())


_COLUMNS = """
    FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid JOIN pg_namespace n ON n.oid = relnamespace
    WHERE nspname = ANY (%(schemas)s) AND relkind IN ('r', 'v', 'm', 'p') AND attnum > 0 AND NOT attisdropped
"""


def _exists(connection: Connection, role: Role) -> bool:
    return connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [role.name]).rowcount == 1


def _me(connection: Connection) -> str:
    return str((connection.execute("SELECT current_user").fetchone() or ("the owner",))[0])


def _make(connection: Connection, role: Role) -> None:
    """Only the password's verifier is sent, so that no log of the server has the password."""
    verifier = connection.pgconn.encrypt_password(role.password.encode(), role.name.encode(), b"scram-sha-256").decode()
    verb = "ALTER" if _exists(connection, role) else "CREATE"
    connection.execute(
        sql.SQL(
            f"{verb} ROLE {{}} WITH LOGIN NOCREATEDB NOCREATEROLE CONNECTION LIMIT {_MOST_CONNECTIONS} PASSWORD {{}}"
        ).format(sql.Identifier(role.name), sql.Literal(verifier))
    )
    for setting, value in (("default_transaction_read_only", "on"), ("work_mem", "32MB")):
        connection.execute(
            sql.SQL("ALTER ROLE {} SET {} = {}").format(
                sql.Identifier(role.name), sql.Identifier(setting), sql.Literal(value)
            )
        )
    if _is_superuser(connection):
        connection.execute(sql.SQL("ALTER ROLE {} SET temp_file_limit = '2GB'").format(sql.Identifier(role.name)))


def _withdraw(connection: Connection) -> None:
    """From everybody, and give to all who had it by that: roles without these would miss them."""
    database = sql.Identifier(connection.info.dbname)
    (temporary, public) = connection.execute(
        "SELECT EXISTS (SELECT FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) AS acl"
        "  WHERE datname = current_database() AND grantee = 0 AND privilege_type = 'TEMPORARY'),"
        " EXISTS (SELECT FROM pg_namespace, aclexplode(coalesce(nspacl, acldefault('n', nspowner))) AS acl"
        "  WHERE nspname = 'public' AND grantee = 0 AND privilege_type = 'CREATE')"
    ).fetchone() or (False, False)
    others = _others(connection)
    if temporary:
        connection.execute(sql.SQL("REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC").format(database))
        if others:
            connection.execute(sql.SQL("GRANT TEMPORARY ON DATABASE {} TO {}").format(database, others))
    if public:
        connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    if not _is_superuser(connection):
        return
    functions = connection.execute(
        "SELECT p.oid::regprocedure::text"
        " FROM pg_proc p, aclexplode(coalesce(proacl, acldefault('f', proowner))) AS acl"
        " WHERE proname ~ %s AND grantee = 0 AND privilege_type = 'EXECUTE'",
        [_FUNCTIONS],
    ).fetchall()
    if functions:
        names = sql.SQL(", ").join(sql.SQL(name) for (name,) in functions)
        connection.execute(sql.SQL("REVOKE EXECUTE ON FUNCTION {} FROM PUBLIC").format(names))
    _give_back(connection)


def _give_back(connection: Connection) -> None:
    """What was withdrawn, to each other role that lacks some of it, such as one that was made since."""
    lacking = connection.execute(
        f"SELECT rolname, array_agg(p.oid::regprocedure::text) FROM {_OTHERS}, pg_proc p"
        " WHERE proname ~ %s AND pronamespace = 'pg_catalog'::regnamespace"
        # What everybody never had, such as lo_import, is listed there.
        " AND NOT EXISTS (SELECT FROM pg_init_privs WHERE objoid = p.oid AND classoid = 'pg_proc'::regclass)"
        " AND NOT has_function_privilege(others.oid, p.oid, 'EXECUTE') GROUP BY 1",
        [_FUNCTIONS],
    ).fetchall()
    for role, names in lacking:
        functions = sql.SQL(", ").join(map(sql.SQL, names))
        connection.execute(sql.SQL("GRANT EXECUTE ON FUNCTION {} TO {}").format(functions, sql.Identifier(role)))


#: All roles but those of queries, of any database, and Postgres' own.
_OTHERS = """
    (SELECT oid, rolname FROM pg_roles
     WHERE NOT rolsuper AND rolname !~ '^pg_' AND rolname !~ '_query(_personal)?$') AS others
"""


def _others(connection: Connection) -> sql.Composable | None:
    found = connection.execute(f"SELECT rolname FROM {_OTHERS}").fetchall()
    return sql.SQL(", ").join(sql.Identifier(name) for (name,) in found) if found else None


def _grant(connection: Connection, role: Role, hidden: list[str]) -> None:
    name = sql.Identifier(role.name)
    for (schema,) in connection.execute(
        "SELECT nspname FROM pg_namespace WHERE nspname = ANY (%s) AND NOT has_schema_privilege(%s, oid, 'USAGE')",
        [list(SCHEMAS), role.name],
    ).fetchall():
        connection.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(sql.Identifier(schema), name))
    changed = connection.execute(
        f"""
        SELECT nspname, relname, array_agg(attname::text) FILTER (WHERE attname <> ALL (%(hidden)s)) {_COLUMNS}
        GROUP BY 1, 2, c.oid HAVING bool_or(
            has_column_privilege(%(role)s, c.oid, attnum, 'SELECT') <> (attname <> ALL (%(hidden)s)))
        """,
        {"schemas": list(SCHEMAS), "role": role.name, "hidden": hidden},
    ).fetchall()
    for schema, table, shown in changed:
        relation = sql.Identifier(schema, table)
        connection.execute(sql.SQL("REVOKE ALL ON {} FROM {}").format(relation, name))
        if shown:
            columns = sql.SQL(", ").join(map(sql.Identifier, shown))
            connection.execute(sql.SQL("GRANT SELECT ({}) ON {} TO {}").format(columns, relation, name))


def _is_superuser(connection: Connection) -> bool:
    return connection.execute("SELECT FROM pg_roles WHERE rolname = current_user AND rolsuper").rowcount == 1
