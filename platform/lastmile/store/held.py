"""The bytes of a small object in memory: of many small ones, files would cost more than all reading of them."""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path


@dataclass(frozen=True)
class HeldFile:
    """`data` of one version of an object and its SHA-256 in hex; it is written to `file` where a path is needed."""

    data: bytes
    sha256: str
    file: Path

    @property
    def path(self) -> Path:
        if not self.file.exists():
            self.file.write_bytes(self.data)
        return self.file

    def open(self, _mode: str = "rb") -> BytesIO:
        return BytesIO(self.data)
