"""Which version answers a unit: decided by a keyed hash, so that every process decides the same without asking.

The hash gives each unit a place in [0, 1). Units below the share of the treatments get a treatment, so a growing share
adds units to them and moves none back. Which treatment of several is decided by a second, independent hash, which no
share changes.
"""

import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

#: Digits of the hash that make a place: as many as a float holds exactly.
_BITS = 53


def place(salt: str, unit: str) -> float:
    """In [0, 1), evenly spread over units, unpredictable without the salt (HMAC with SHA-256)."""
    digest = hmac.digest(salt.encode(), unit.encode(), hashlib.sha256)
    return (int.from_bytes(digest[:8]) >> (64 - _BITS)) / (1 << _BITS)


def assigned(salt: str, unit: str, share: float, control: str, treatments: Sequence[str]) -> str:
    """The version that answers the unit while the treatments together have this share of units."""
    if place(salt, unit) >= share:
        return control
    return treatments[int(place(f"{salt} which", unit) * len(treatments))]


def unit_of(values: Sequence[str]) -> str:
    """What is assigned, of the values of its columns: the one there is, of several a JSON list."""
    return values[0] if len(values) == 1 else json.dumps(list(values), ensure_ascii=False)


def units(rows: "pd.DataFrame", columns: Sequence[str]) -> "pd.Series[str]":
    """What is assigned, for each row."""
    import pandas as pd

    found = [unit_of(values) for values in rows[list(columns)].astype(str).to_numpy().tolist()]
    return pd.Series(found, index=rows.index, dtype="str")
