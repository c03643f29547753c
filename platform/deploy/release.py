"""What a release says of itself: `python platform/deploy/release.py v0.1.0` prints its part of CHANGELOG.md.

Exit code 1, with the reason, unless the tag is the version of the project, of its client and of its chart, and the
changelog has a part for it. Only the standard library is needed.
"""

import re
import sys
import tomllib
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
_HEADING = re.compile(r"^## \[?(?P<version>[^\]\s]+)\]?.*$", re.MULTILINE)


def notes(changelog: str, version: str) -> str:
    """The text under the version's heading. Raises ValueError where there is none, or nothing under it."""
    headings = [*_HEADING.finditer(changelog)]
    for heading, following in zip(headings, [*headings[1:], None], strict=True):
        if heading["version"] == version:
            if text := changelog[heading.end() : following.start() if following else None].strip():
                return text
            raise ValueError(f"CHANGELOG.md says nothing under {version}: write what changed for those who use it")
    raise ValueError(f"CHANGELOG.md has no heading `## {version}`: name the part `Unreleased` so, with the day")


def versions(project: Path) -> dict[str, str]:
    """The version that each file of the project states."""
    found = {}
    for file in ("pyproject.toml", "platform/client/pyproject.toml"):
        found[file] = tomllib.loads((project / file).read_text())["project"]["version"]
    chart = (project / "platform/deploy/chart/Chart.yaml").read_text()
    for name in ("version", "appVersion"):
        (stated,) = re.findall(rf"^{name}: (.+)$", chart, re.MULTILINE)
        found[f"platform/deploy/chart/Chart.yaml ({name})"] = stated
    return found


def main(tag: str) -> str:
    """The notes of the release. Raises ValueError where something does not agree."""
    version = tag.removeprefix("v")
    if differing := {file: stated for file, stated in versions(PROJECT).items() if stated != version}:
        stated = "; ".join(f"{file} says {other}" for file, other in differing.items())
        raise ValueError(f"the tag is {tag}, but {stated}")
    return notes((PROJECT / "CHANGELOG.md").read_text(), version)


if __name__ == "__main__":
    try:
        print(main(sys.argv[1]))
    except ValueError as error:
        sys.exit(f"release: {error}")
