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
#: Tables in which a key comes once, so that a repeated row is a duplicate; a crop may have several plots.
UNIQUE = ("hhinfo", "lstk")


@dataclass(frozen=True)
class Dirt:
    """Shares, from 0 for none.

    Of rows: `wrong_type` text where a number belongs, `out_of_range` impossible magnitudes, `missing_required` no id or
    name, `broken_rule` values that contradict each other, `ragged` too many or too few fields, `repeated_rows` the same
    row again, `coded_missing` texts that stand for no answer (these rows are good). Of drops: `unknown_columns` one
    column nobody declared, `repeated_drops` the same bytes under another name, `other_formats` anything but plain
    comma-separated UTF-8. Of surveys: `wrong_factor` a conversion factor off by a thousand.

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

#: For each kind and table, the cells that make a row bad for that one reason, whatever the rest of it holds.
FAULTS: Mapping[str, Mapping[str, Sequence[Cells]]] = {
    "wrong_type": {
        "hhinfo": ({"hh_size_members": "six"}, {"land_cultivated_ha": "1,5"}, {"livestock_tlu": "3 cows"}),
        "crop": ({"harvest_kg": "4 bags"}, {"land_area_ha": "half a hectare"}),
        "lstk": ({"n": "many"}, {"n": "2-3"}),
        "lstk_prod": ({"harvest_kg": "2 litres a day"}, {"income_lcu": "5000 francs"}),
        "retail_lines": ({"Quantity": "a dozen"}, {"UnitPrice": "2.55 GBP"}, {"InvoiceDate": "before noon"}),
    },
    "out_of_range": {
        "hhinfo": ({"hh_size_members": "960.0"}, {"gps_lat": "123.4"}, {"land_cultivated_ha": "22000.0"}),
        "crop": ({"harvest_kg": "31000000000.0"}, {"land_area_ha": "22000.0"}, {"income_lcu": "-500.0"}),
        "lstk": ({"n": "-3"},),
        "lstk_prod": ({"harvest_kg": "5000000000.0"}, {"income_lcu": "-1.0"}),
        "retail_lines": ({"InvoiceNo": "500001", "Quantity": "1", "UnitPrice": "99999999.0"},),
    },
    "missing_required": {
        "hhinfo": ({"hhid": None}, {"country": None}),
        "crop": ({"hhid": None}, {"name": None}),
        "lstk": ({"hhid": None}, {"n": None}),
        "lstk_prod": ({"name": None}, {"prod": None}),
        "retail_lines": ({"InvoiceNo": None}, {"Country": None}),
    },
    "broken_rule": {
        "hhinfo": ({"gps_lon": None}, {"hh_size_mae": "79.0"}, {"crop_harvest_kg": "10.0", "crop_sold_kg": "500.0"}),
        "crop": ({"harvest_kg": "100.0", "consumed_kg": "90.0", "sold_kg": "60.0"},),
        "lstk": ({"name": "cattle", "n": "50000"},),
        "lstk_prod": ({"harvest_kg": "10.0", "consumed_kg": "0.0", "sold_kg": "25.0"},),
        "retail_lines": (
            {"InvoiceNo": "C500001", "Quantity": "5", "UnitPrice": "1.25"},
            {"InvoiceNo": "500001", "Quantity": "-5", "UnitPrice": "1.25"},
        ),
    },
    "coded_missing": {
        "hhinfo": ({"land_owned_ha": "NA"}, {"ppi_likelihood": "no_answer"}, {"travel_time_cities": "-"}),
        "crop": ({"control_income_female": "NA"}, {"prop_land_area": "no_answer"}),
        "lstk": (),
        "lstk_prod": ({"control_consumed_female": "NA"}, {"control_income_female": "no_answer"}),
        "retail_lines": (),
    },
}


@dataclass(frozen=True)
class Soiled:
    """A table with its faults: cells changed, repeated rows at its end; `ragged` rows are torn when they become text.

    `clean` marks the rows of the table given that stayed good, `placed` counts the faults by kind.
    """

    frame: pl.DataFrame
    ragged: npt.NDArray[np.int64]
    clean: pl.Series
    placed: Counter[str]


def soil(frame: pl.DataFrame, table: str, dirt: Dirt, rng: np.random.Generator, text: bool) -> Soiled:
    """Place faults in rows drawn at random, one fault a row. Only a `text` format can have ragged rows."""
    counts = _counts(frame.height, table, dirt, rng, text)
    drawn = rng.permutation(frame.height)
    rows = dict(zip(counts, np.split(drawn, np.cumsum(list(counts.values()))), strict=False))
    soiled = frame
    for kind, faults in FAULTS.items():
        soiled = _change(soiled, rows[kind], faults[table], rng)
    bad = np.concatenate([rows[kind] for kind in BAD])
    return Soiled(
        frame=pl.concat([soiled, soiled[np.sort(rows["repeated_rows"])]]),
        ragged=np.sort(rows["ragged"]),
        clean=pl.Series(~np.isin(np.arange(frame.height), bad)),
        placed=Counter({kind: count for kind, count in counts.items() if count}),
    )


def _counts(height: int, table: str, dirt: Dirt, rng: np.random.Generator, text: bool) -> dict[str, int]:
    """How many rows get each fault: the share, rounded up or down at random so that it holds on average."""
    left, counts = int(MOST_BAD * height), {}
    for kind in (*BAD, "repeated_rows", "coded_missing"):
        count = int(getattr(dirt, kind) * height + rng.random())
        impossible = (kind == "ragged" and not text) or (kind == "repeated_rows" and table not in UNIQUE)
        nothing_to_change = kind in FAULTS and not FAULTS[kind][table]
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
