"""What was found of one process."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """`found` says what is there or, where it is not `ok`, what is wrong and what to do."""

    process: str
    ok: bool
    found: str
