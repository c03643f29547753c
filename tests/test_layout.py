"""The project's own folders: a trap of their names, and the floors between them."""

import subprocess
import sys
from pathlib import Path

from checkout import PROJECT

LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")


def test_the_folder_platform_does_not_hide_the_standard_library() -> None:
    assert not (PROJECT / "platform" / "__init__.py").exists()


def test_every_room_imports_from_the_floors_below_it_only() -> None:
    done = subprocess.run([LINT_IMPORTS, "--no-cache"], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
