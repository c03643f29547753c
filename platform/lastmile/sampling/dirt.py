"""What goes wrong in the field: faults placed on purpose, each for one known reason."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np
import numpy.typing as npt
import polars as pl

#: Bad rows of a drop stay below it, so that no drop is refused as a whole for its share of bad rows.
MOST_BAD = 0.15
#: Faults that make a row bad.
BAD = ("wrong_type", "out_of_range", "missing_required", "broken_rule", "ragged")

#: Faults that change cells of a row, so that a table says in which ways it can have them.
CELL_FAULTS = ("wrong_type", "out_of_range", "missing_required", "broken_rule", "coded_missing")


@dataclass(frozen=True)
class Dirt:
    """Shares, from 0 for none.

    Of rows: `wrong_type` text where a number belongs, `out_of_range` impossible magnitudes, `missing_required` no id or
    name, `broken_rule` values that contradict each other, `ragged` too many or too few fields, `repeated_rows` the same
    row again, `coded_missing` texts that stand for no answer (these rows are good). Of drops: `unknown_columns` one
    column that is not declared, `repeated_drops` the same bytes under another name, `other_formats` anything but plain
    comma-separated UTF-8. Of sources (a survey): `wrong_factor` a conversion factor off by a thousand.

    Raises ValueError for what is no share, and for so many bad rows that a whole drop could be refused.
    """

    wrong_type: float = 0.002
    out_of_range: float = 0.003
    missing_required: float = 0.001
    broken_rule: float = 0.002
    ragged: float = 0.001
    repeated_rows: float = 0.003
    coded_missing: float = 0.01
    unknown_columns: float = 0.1
    repeated_drops: float = 0.03
    other_formats: float = 0.2
    wrong_factor: float = 0.06

    def __post_init__(self) -> None:
        wrong = {name: share for name, share in asdict(self).items() if not 0 <= share <= 1}
        if wrong:
            raise ValueError(f"dirt is given in shares from 0 to 1; found {wrong}")
        bad = sum(getattr(self, kind) for kind in BAD)
        if bad > MOST_BAD + 1e-9:
            raise ValueError(
                f"bad rows may be at most {MOST_BAD:.0%} in all, so that no drop is refused; found {bad:.0%}"
            )

    @classmethod
    def none(cls) -> "Dirt":
        return cls(**{field.name: 0.0 for field in fields(cls)})

    @classmethod
    def of(cls, share: float) -> "Dirt":
        """This share of bad rows in all, the kinds mixed as usual; the same again in repeated rows."""
        usual = cls()
        scale = share / sum(getattr(usual, kind) for kind in BAD)
        return cls(**{kind: getattr(usual, kind) * scale for kind in BAD}, repeated_rows=share)

    @classmethod
    def heavy(cls) -> "Dirt":
        return cls(
            wrong_type=0.02,
            out_of_range=0.02,
            missing_required=0.02,
            broken_rule=0.02,
            ragged=0.02,
            repeated_rows=0.05,
            coded_missing=0.1,
            unknown_columns=0.3,
            repeated_drops=0.1,
            other_formats=0.6,
            wrong_factor=0.2,
        )


Cells = Mapping[str, str | None]

#: By kind, the ways in which a row of a table can be bad for that one reason: cells that make it so, whatever the rest.
Faults = Mapping[str, Sequence[Cells]]


@dataclass(frozen=True)
class Soiled:
    """A table with its faults: cells changed, repeated rows at its end; `ragged` rows are torn when they become text.

    `clean` marks the rows of the table given that stayed good, `placed` counts the faults by kind.
    """

    frame: pl.DataFrame
    ragged: npt.NDArray[np.int64]
    clean: pl.Series
    placed: Counter[str]


def soil(
    frame: pl.DataFrame, faults: Faults, dirt: Dirt, rng: np.random.Generator, text: bool, unique: bool = False
) -> Soiled:
    """Place faults in rows drawn at random, one fault a row.

    Only a `text` format can have ragged rows, and only a table whose key is `unique` repeated ones.
    """
    counts = _counts(frame.height, faults, dirt, rng, text, unique)
    drawn = rng.permutation(frame.height)
    rows = dict(zip(counts, np.split(drawn, np.cumsum(list(counts.values()))), strict=False))
    soiled = frame
    for kind, ways in faults.items():
        soiled = _change(soiled, rows[kind], ways, rng)
    bad = np.concatenate([rows[kind] for kind in BAD])
    return Soiled(
        frame=pl.concat([soiled, soiled[np.sort(rows["repeated_rows"])]]),
        ragged=np.sort(rows["ragged"]),
        clean=pl.Series(~np.isin(np.arange(frame.height), bad)),
        placed=Counter({kind: count for kind, count in counts.items() if count}),
    )


def _counts(
    height: int, faults: Faults, dirt: Dirt, rng: np.random.Generator, text: bool, unique: bool
) -> dict[str, int]:
    """How many rows get each fault: the share, rounded up or down at random so that it holds on average."""
    left, counts = int(MOST_BAD * height), {}
    for kind in (*BAD, "repeated_rows", "coded_missing"):
        count = int(getattr(dirt, kind) * height + rng.random())
        impossible = (kind == "ragged" and not text) or (kind == "repeated_rows" and not unique)
        nothing_to_change = kind in CELL_FAULTS and not faults.get(kind)
        counts[kind] = 0 if impossible or nothing_to_change else min(count, left if kind in BAD else height // 4)
        left -= counts[kind] if kind in BAD else 0
    return counts


def _change(
    frame: pl.DataFrame, rows: npt.NDArray[np.int64], faults: Sequence[Cells], rng: np.random.Generator
) -> pl.DataFrame:
    if not len(rows):
        return frame
    chosen = rng.integers(0, len(faults), len(rows))
    for number, cells in enumerate(faults):
        here = rows[chosen == number]
        changed = [frame[name].cast(pl.String).scatter(here, value) for name, value in cells.items() if len(here)]
        frame = frame.with_columns(changed)
    return frame
