"""Reads a statement before it is sent: one query, on schemas of data, without functions that do more than compute.

The role refuses the same where Postgres lets roles be that narrow; it cannot without a superuser. So what is refused
here is any name that begins like those functions, wherever it stands, except within a text.
"""

import re

from lastmile.errors import UserError

_LONGEST = 50_000
_NAMES = re.compile(
    r"(pg_|_pg_|lo_|loread|lowrite|dblink|postgres_fdw|txid_|inet_(client|server)|set_config|current_setting|currval"
    r"|nextval|setval|lastval|(query|table|cursor|schema|database)_to_xml|ts_stat|ts_rewrite|has_\w+_privilege"
    r"|(to|from)_?reg|information_schema|binary_upgrade|brin_|gin_|xpath_table|crosstab|version$)",
    re.IGNORECASE,
)
#: What changes, locks or creates.
_STATEMENTS = ("Insert", "Update", "Delete", "Merge", "Create", "Drop", "Command", "Into", "Lock", "Copy", "Set")


class Refused(UserError):
    """A statement that is not run, and why."""


def check(statement: str, schemas: frozenset[str]) -> None:
    """Raises Refused where the statement is not a single query on these schemas."""
    from sqlglot import TokenType, exp, parse, tokenize
    from sqlglot.errors import SqlglotError

    if len(statement) > _LONGEST:
        raise Refused(f"sql: expected at most {_LONGEST:,} characters, found {len(statement):,}")
    try:
        tokens = tokenize(statement, read="postgres")
        found = [one for one in parse(statement, read="postgres") if one is not None]
    except (SqlglotError, RecursionError) as error:
        raise Refused(f"sql: expected a query in Postgres' SQL; {_first_line(error)}") from None
    if len(found) != 1:
        raise Refused(f"sql: expected one query, found {len(found)} statements")
    (query,) = found
    if not isinstance(query, exp.Query | exp.Values):
        raise Refused(
            f"sql: expected a query (SELECT, WITH or VALUES), found {query.key.upper()}; data is only read here"
        )
    for token in tokens:
        if token.token_type not in (TokenType.STRING, TokenType.HEREDOC_STRING, TokenType.NUMBER):
            _check_name(token.text)
    for node in query.walk():
        if type(node).__name__ in _STATEMENTS:
            raise Refused(f"sql: {type(node).__name__.upper()} is no part of a query that only reads")
        if isinstance(node, exp.Table) and (node.catalog or (node.db and node.db not in schemas)):
            raise Refused(f"sql: there is no schema {node.db!r} here; tables are in {', '.join(sorted(schemas))}")


def _check_name(name: str) -> None:
    if "\\" in name:
        raise Refused(f"sql: {name!r:.100} has a backslash, which no name here has")
    if _NAMES.match(name):
        raise Refused(f"sql: {name!r:.100} is not available: queries read tables and compute, nothing else")


def _first_line(error: Exception) -> str:
    text = re.sub(r"\x1b\[\d+m", "", str(error)).strip()  # sqlglot underlines for terminals
    return text.splitlines()[0][:300] if text else type(error).__name__
