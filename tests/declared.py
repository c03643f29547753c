"""A package of declarations in a folder of a test's own, edited as with an editor."""

import importlib
import sys
from pathlib import Path

NAME = "declared_elsewhere"
FILES = {
    "__init__.py": "",
    "farm/__init__.py": "",
    "farm/words.py": 'NAME = "yield of a field"\n',
    "farm/features/__init__.py": "",
    "farm/features/fields.py": "from fields import FIELDS as features\n",
    "farm/models/__init__.py": "",
    "farm/models/fields.py": "from fields import YIELD\nfrom ..words import NAME\n\nmodel = YIELD  # as it is\n",
}


class Package:
    """The folder must be on the path of imports."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / NAME
        for name, text in FILES.items():
            self.write(name, text)

    def write(self, name: str, text: str) -> None:
        """Save a file, and forget what was imported."""
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        for compiled in file.parent.glob("__pycache__/*"):
            compiled.unlink()
        self.forget()

    def edit(self, name: str, old: str, new: str) -> None:
        self.write(name, (self.folder / name).read_text().replace(old, new))

    def forget(self) -> None:
        for name in [name for name in sys.modules if name.partition(".")[0] == NAME]:
            del sys.modules[name]
        importlib.invalidate_caches()
