"""Exports as files of a store: one for each window, and a manifest of what they are.

    <export>/<window>.parquet
    <export>/manifest.json

A file is replaced in one piece, the manifest after it. Killed in between, the manifest still names the version before,
so the next export writes the window again, to the same bytes.
"""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any
from urllib.parse import quote

from psycopg import Connection

from lastmile.operations.exports.declaration import Export
from lastmile.operations.exports.source import Source, Version
from lastmile.store import Missing, Store
from lastmile.warehouse.reading.formats import csv, parquet

_FORMATS = {"parquet": parquet, "csv": csv}


class Files:
    """The files of one export, below a folder of a store."""

    def __init__(self, store: Store, folder: str, export: Export) -> None:
        self._store, self._folder, self._export = store, f"{folder}{export.name}", export
        self._manifest: dict[str, Any] = {}

    def __enter__(self) -> "Files":
        try:
            self._manifest = json.loads(self._store.read(f"{self._folder}/manifest.json"))
        except Missing:
            self._manifest = {"export": self._export.name, "source": self._export.source, "windows": {}}
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is held."""

    def versions(self) -> dict[str, str]:
        """The data version of each window that is there."""
        return {window: one["version"] for window, one in self._manifest["windows"].items()}

    def shaped(self, source: Source) -> None:
        self._manifest["columns"] = [{"name": name, "type": kind} for name, kind in source.shape]

    def replace(self, connection: Connection, source: Source, window: str, version: Version) -> int:
        """Bytes of the file that was written."""
        selection, make = source.selection(window), _FORMATS[self._export.format]
        digest = hashlib.sha256()
        with NamedTemporaryFile(prefix="lastmile-export-", suffix=f".{self._export.format}") as file:
            for block in make(connection, selection, source.order):
                digest.update(block)
                file.write(block)
            file.flush()
            size = file.tell()
            self._store.put(self._key(window), Path(file.name))
        self._manifest["windows"][window] = {
            "file": self._key(window).rpartition("/")[2],
            "rows": version.rows,
            "bytes": size,
            "sha256": digest.hexdigest(),
            "version": version.digest,
            "exported_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        self._write_manifest()
        return size

    def remove(self, window: str, source: Source) -> None:  # noqa: ARG002  # as of a table
        self._store.delete(self._key(window))
        del self._manifest["windows"][window]
        self._write_manifest()

    def _key(self, window: str) -> str:
        return f"{self._folder}/{quote(window, safe='')}.{self._export.format}"

    def _write_manifest(self) -> None:
        windows = dict(sorted(self._manifest["windows"].items()))
        body = json.dumps({**self._manifest, "windows": windows}, indent=1, ensure_ascii=False)
        self._store.put(f"{self._folder}/manifest.json", body.encode())
