"""The rows that a data test found wrong: dbt stores all of them, a person is shown some."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psycopg import Connection

#: Failing rows shown with a check.
MOST_SHOWN = 20

Value = str | int | float | bool | None


def failing_rows(
    connection: "Connection", schema: str, table: str, manifest: Mapping[str, Any]
) -> list[dict[str, Value]]:
    """Up to `MOST_SHOWN` rows of the table a test stored, without the columns that any model calls personal."""
    from psycopg import sql
    from psycopg.rows import dict_row

    query = sql.SQL("SELECT * FROM {} LIMIT {}").format(sql.Identifier(schema, table), MOST_SHOWN)
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(query).fetchall()
    hidden = _personal_columns(manifest)
    return [{name: _shown(value) for name, value in row.items() if name not in hidden} for row in found]


def _personal_columns(manifest: Mapping[str, Any]) -> set[str]:
    columns = [column for node in manifest["nodes"].values() for column in node["columns"].values()]
    return {column["name"] for column in columns if column["meta"].get("personal")}


def _shown(value: Any) -> Value:
    return value if isinstance(value, Value) else str(value)
