"""Docstrings, comments, messages and pages use the field's terms (docs/glossary.md), not words that avoid them.

On a subtree: `pytest tests/test_language.py -k ingestion`.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
AVOIDED = re.compile(
    r"\b(set(s|ting)? aside|taken|told|ask(s|ed|ing)? for|at rest|beside|somebody|nobody|whoever|the way of)\b",
    re.IGNORECASE,
)
#: Each room and page by itself.
PLACES = sorted(
    [
        *(folder for folder in (PROJECT / "platform" / "lastmile").iterdir() if folder.is_dir()),
        *(folder for folder in (PROJECT / "assets").iterdir() if folder.is_dir()),
        *(PROJECT / "platform" / "lastmile").glob("*.py"),
        *(PROJECT / "assets").glob("*.py"),
        *(PROJECT / "docs").glob("*.md"),
        PROJECT / "README.md",
    ]
)


def name_of(path: Path) -> str:
    return path.relative_to(PROJECT).as_posix()


def files_of(place: Path) -> list[Path]:
    return [place] if place.is_file() else sorted(place.rglob("*.py"))


def prose_of(file: Path) -> Iterator[tuple[int, str]]:
    """Line numbers and texts: of a page all lines, of a module its comments and strings."""
    if file.suffix == ".md":
        yield from enumerate(file.read_text().splitlines(), 1)
    else:
        yield from prose_of_module(file.read_text())


def prose_of_module(source: str) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, " ".join(node.value.split())


def avoided_in(file: Path) -> list[str]:
    found = ((line, AVOIDED.search(text)) for line, text in prose_of(file))
    return [f"{name_of(file)}:{line}: {match[0]}" for line, match in found if match]


@pytest.mark.parametrize("place", PLACES, ids=name_of)
def test_its_words_are_those_of_the_field(place: Path) -> None:
    assert [found for file in files_of(place) for found in avoided_in(file)] == []


def test_avoided_words_are_found_in_docstrings_comments_and_messages() -> None:
    source = '"""Rows set\n    aside."""\nx = f"{1} was taken"  # told\n'
    texts = [text for _, text in prose_of_module(source)]
    assert [bool(AVOIDED.search(text)) for text in texts if text] == [True, True, True]
