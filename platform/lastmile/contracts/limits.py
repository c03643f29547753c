"""How much a drop may ask of us before anything of it is parsed: a bomb is refused, not tried.

The defaults are far above what field data needs and far below what hurts a machine of 2 GB. A contract may set its own.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Most of each that a drop may have; one more is refused. `nesting` counts brackets of JSON inside each other."""

    bytes: int = 20 * 2**30
    unpacked_bytes: int = 100 * 2**30
    #: Unpacked to packed, from 16 MiB unpacked on. Text packs 3 to 30 times smaller, very regular text 100 times; a
    #: bomb 1,000 times.
    ratio: int = 250
    #: A row with a longer cell is quarantined; a record of more than `record_bytes` refuses the drop.
    cell_characters: int = 1_000_000
    columns: int = 1_500
    nesting: int = 64
    rows: int = 100_000_000
    #: Of a JSON document that is one value and must be held whole. JSON Lines have no such limit.
    document_bytes: int = 64 * 2**20

    @property
    def record_bytes(self) -> int:
        """Bytes of the longest record, all its cells together; what is longer is a lost quote or no table."""
        return max(16 * 2**20, 4 * self.cell_characters)
