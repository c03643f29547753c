"""Which texts a spreadsheet would run as formulas when it opens a CSV: those that OWASP names of CSV injection.

`=`, `+`, `-`, `@`, tab or carriage return first, also in full width, behind apostrophes or behind blanks; numbers such
as `-5` are none. The patterns mean the same to Postgres, Python and polars.
"""

from psycopg import sql

FORMULA = r"^'*[ \n]*[=+\-@\t\r＝＋－＠]"  # noqa: RUF001  # full width, as East Asian keyboards write them
NUMBER = r"^[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?$"


def inert(text: sql.Composable) -> sql.Composable:
    """The text with an apostrophe before it where it is a formula."""
    return sql.SQL("CASE WHEN {0} ~ {1} AND {0} !~ {2} THEN '''' || {0} ELSE {0} END").format(
        text, sql.Literal(FORMULA), sql.Literal(NUMBER)
    )
