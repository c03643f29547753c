"""Puts the tables in `benchmarks/results` into docs/performance.md, each between the marks of its section.

python -m benchmarks.page
"""

import re
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime

from benchmarks.comparing import PROJECT
from benchmarks.results import FOLDER

PAGE = PROJECT / "docs" / "performance.md"
PLOT = PROJECT / "docs" / "pictures" / "peers.png"
_MARKED = re.compile(r"(<!-- results: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def main() -> None:
    found = {
        file.stem: f"{file.read_text()}Measured on {datetime.fromtimestamp(file.stat().st_mtime, UTC):%Y-%m-%d}.\n"
        for file in FOLDER.glob("*.md")
    }
    PAGE.write_text(filled(PAGE.read_text(), found))
    if (FOLDER / "peers.png").exists():
        shutil.copy(FOLDER / "peers.png", PLOT)


def filled(page: str, found: Mapping[str, str]) -> str:
    """The page with each section's tables; those of sections that were not measured stay as they are."""

    def tables(mark: re.Match[str]) -> str:
        return f"{mark[1]}\n{found[mark[2]]}\n{mark[3]}" if mark[2] in found else mark[0]

    return _MARKED.sub(tables, page)


if __name__ == "__main__":
    main()
