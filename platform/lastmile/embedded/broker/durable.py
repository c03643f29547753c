"""Files that are there, whole, once they are written, also after a power cut."""

import os
from pathlib import Path


def write(file: Path, text: str) -> None:
    """Replace the file's content at once."""
    partial = file.with_name(f"{file.name}.partial")
    with partial.open("w") as opened:
        opened.write(text)
        opened.flush()
        os.fsync(opened.fileno())
    partial.replace(file)
    sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    """Have the names of its files on disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
