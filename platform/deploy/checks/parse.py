"""Terraform's files as data: `python parse.py FOLDER` prints one JSON object, each file's content by its path."""

import json
import sys
from pathlib import Path
from typing import Any

import hcl2


def plain(found: Any) -> Any:
    """Without the quotes that the parser leaves around names and texts, and without what it adds."""
    match found:
        case dict():
            return {plain(name): plain(value) for name, value in found.items() if not name.startswith("__")}
        case list():
            return [plain(one) for one in found]
        case str():
            return found[1:-1] if len(found) > 1 and found[0] == found[-1] == '"' else found
        case _:
            return found


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    files = sorted(file for file in folder.rglob("*.tf*") if file.suffix in (".tf", ".tfvars"))
    print(json.dumps({str(file.relative_to(folder)): plain(hcl2.loads(file.read_text())) for file in files}))
