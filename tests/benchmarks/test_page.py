"""The page of results."""

from benchmarks.__main__ import SECTIONS
from benchmarks.page import PAGE, filled

BEFORE = "# Page\n\n<!-- results: growth -->\nold\n<!-- end -->\n\n<!-- results: dirt -->\nkept\n<!-- end -->\n"


def test_tables_are_put_between_the_marks_of_their_section_and_nothing_else_is_touched() -> None:
    after = filled(BEFORE, {"growth": "new\n", "unknown": "lost\n"})
    assert after == BEFORE.replace("old", "\nnew\n", 1).replace("new\n\n", "new\n\n")
    assert filled(after, {"growth": "new\n"}) == after


def test_the_page_has_a_place_for_every_section() -> None:
    page = PAGE.read_text()
    assert [name for name in ("quick", *SECTIONS) if f"<!-- results: {name} -->" not in page] == []
