"""Every promise of docs/intake.md is shown by a test that carries its number."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from checkout import PROJECT


def test_every_promise_of_the_intake_is_shown_by_a_test() -> None:
    promised = {int(number) for number in re.findall(r"^\| (\d+) \|", _page(), re.MULTILINE)}
    shown = {number for file in (PROJECT / "tests").rglob("test_*.py") for number in _numbers(file)}
    assert promised == set(range(1, 33))
    assert shown == promised


def _page() -> str:
    return (PROJECT / "docs" / "intake.md").read_text()


def _numbers(file: Path) -> Iterator[int]:
    """The numbers that the marks in this file name."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.behaviour":
            yield from (word.value.value for word in node.keywords if isinstance(word.value, ast.Constant))
