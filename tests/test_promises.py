"""Every promise of docs/intake.md is shown by a test that carries its number."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from lastmile.settings import PROJECT


def test_every_promise_of_the_intake_is_shown_by_a_test() -> None:
    promised = {int(number) for number in re.findall(r"^\| (\d+) \|", _page(), re.MULTILINE)}
    shown = {number for file in (PROJECT / "tests").rglob("test_*.py") for number in _numbers(file)}
    assert promised == set(range(1, 33))
    assert shown == promised


def _page() -> str:
    return (PROJECT / "docs" / "intake.md").read_text()


def _numbers(file: Path) -> Iterator[int]:
    """The numbers that marks on this file's test functions name."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            for mark in node.decorator_list:
                if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.behaviour":
                    yield from (word.value.value for word in mark.keywords if isinstance(word.value, ast.Constant))
                    yield from (argument.value for argument in mark.args if isinstance(argument, ast.Constant))
