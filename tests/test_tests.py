"""What every test has to have: something that fails when what its name promises is gone."""

import ast
from collections.abc import Iterator
from pathlib import Path

from checkout import PROJECT


def test_every_test_asserts_something_itself() -> None:
    assert [f"{file}: {test.name}" for file, test in _tests() if not any(map(_can_fail, ast.walk(test)))] == []


def _tests() -> Iterator[tuple[Path, ast.FunctionDef]]:
    for file in sorted((PROJECT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield file.relative_to(PROJECT), node


def _can_fail(node: ast.AST) -> bool:
    """An assertion, `pytest.raises` or `warns`, playwright's `expect`, or a call of an `assert_...` of ours."""
    if isinstance(node, ast.Call):
        called = ast.unparse(node.func).rpartition(".")[2]
        return called in {"raises", "warns", "expect", "assure"} or called.startswith("assert_")
    return isinstance(node, ast.Assert)
