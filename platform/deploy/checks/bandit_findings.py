"""What bandit finds and nothing on the line justifies; exit code 1 where there is any.

ruff's `S` rules are bandit's under the same numbers, and each exception has its reason in place, as `noqa: S314`. Here
the same comment counts, so that nothing is justified twice.

    python bandit_findings.py platform/lastmile assets
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any


def main(folders: list[str]) -> int:
    command = [sys.executable, "-m", "bandit", "-q", "-c", "pyproject.toml", "-f", "json", "-r", *folders]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    report = json.loads(said.stdout)
    left = [finding for finding in report["results"] if not is_justified(finding)]
    for finding in left:
        where = f"{finding['filename']}:{finding['line_number']}"
        print(f"{where}: {finding['test_id']} ({finding['issue_severity'].lower()}): {finding['issue_text']}")
    for error in report["errors"]:
        print(f"{error['filename']}: {error['reason']}")
    print(f"bandit: {report['metrics']['_totals']['loc']} lines, {len(left)} findings that nothing justifies")
    return 1 if left or report["errors"] else 0


def is_justified(finding: dict[str, Any]) -> bool:
    """Whether one of its lines has a `noqa` of the rule's number."""
    lines = Path(finding["filename"]).read_text().splitlines()
    found = "\n".join(lines[number - 1] for number in finding["line_range"])
    return re.search(rf"noqa:[^#]*\bS{finding['test_id'][1:]}\b", found) is not None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
