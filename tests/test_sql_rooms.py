"""SQL on a schema is written in the room that owns it: everybody else calls its functions."""

import ast
import re
from collections.abc import Iterator

import pytest
from checkout import PROJECT

OWNERS = {
    "ledger": "ledger",
    "quarantine": "quarantine",
    "registry": "learning",
    "submissions": "ingestion",
    "documents": "documents",
    "access": "access",
    "catalogue": "catalogue",
    "operations": "operations",
    "figures": "operations",
    "streams": "streaming",
    "windows": "streaming",
    "replays": "streaming",
    "joins": "streaming",
}
STATEMENT = re.compile(rf"\b(?:FROM|JOIN|INTO|UPDATE|TABLE|USING|,)\s+({'|'.join(OWNERS)})\.(?!py)\w", re.IGNORECASE)
ENGINE = PROJECT / "platform" / "lastmile"
FILES = [
    *(file for file in ENGINE.rglob("*.py") if "migrations" not in file.parts),
    *(PROJECT / "assets").rglob("*.py"),
]


def schemas_used(source: str) -> Iterator[str]:
    """Schemas that a file's statements name, in texts of any kind and in `sql.Identifier`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from (found.lower() for found in STATEMENT.findall(node.value))
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Identifier") and node.args:
            first = node.args[0]
            if isinstance(first, ast.Constant) and first.value in OWNERS:
                yield str(first.value)


@pytest.mark.parametrize("schema", OWNERS)
def test_statements_on_a_schema_are_in_its_room_only(schema: str) -> None:
    room = ENGINE / OWNERS[schema]
    strangers = [file for file in FILES if schema in schemas_used(file.read_text()) and not file.is_relative_to(room)]
    assert [str(file.relative_to(PROJECT)) for file in strangers] == []


@pytest.mark.parametrize("schema", OWNERS)
def test_the_owner_of_a_schema_has_statements_on_it(schema: str) -> None:
    """So that a renamed room or table does not make the test above pass for nothing."""
    assert any(schema in schemas_used(file.read_text()) for file in (ENGINE / OWNERS[schema]).rglob("*.py"))


@pytest.mark.parametrize(
    "statement",
    [
        'connection.execute("SELECT 1 FROM ledger.drops")',
        'connection.execute(f"UPDATE ledger.drops SET {change}")',
        'QUERY = """\n    SELECT\n    FROM raw.x JOIN\n        ledger.drops d USING (id)\n"""',
        'sql.Identifier("ledger", "drops")',
        'connection.execute("DELETE FROM Ledger.drops")',
    ],
)
def test_a_statement_is_recognised_in_any_form(statement: str) -> None:
    assert set(schemas_used(statement)) == {"ledger"}


def test_imports_and_prose_are_no_statements() -> None:
    prose = '"""From lastmile.ledger.claims, see `ledger.drops`."""\nfrom lastmile import ledger\nledger.claim(1)\n'
    assert list(schemas_used(prose)) == []
