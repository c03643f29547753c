"""Whether units came to the versions in the planned ratio: where not, something lost or added units of one version, and
no comparison of them can be trusted, however clear."""

from dataclasses import dataclass

import pandas as pd
from scipy.stats import chi2

#: Of a true ratio less often called wrong than this (Fabijan and others, 2019, use 0.0005 to 0.01).
ALPHA = 0.001
#: Units of a version expected at a share; below, chi-squared does not hold and the share is left out.
_FEWEST = 5


@dataclass(frozen=True)
class Ratio:
    """Units by version, found and expected; `p` is the chance of a deviation like this from the planned ratio."""

    found: dict[str, int]
    expected: dict[str, float]
    p: float

    @property
    def as_planned(self) -> bool:
        return self.p >= ALPHA

    def __str__(self) -> str:
        counts = ", ".join(
            f"version {version} has {count:,} units ({self.expected[version]:,.0f} expected)"
            for version, count in self.found.items()
        )
        return f"{counts}; p = {self.p:.2g}"


def sample_ratio(units: pd.DataFrame, versions: list[str]) -> Ratio:
    """Of units with `version` and `share`, that of the treatments when they were assigned; the control is the first of
    `versions`. Pearson's chi-squared, added over the shares."""
    statistic, degrees = 0.0, 0
    found, expected = dict.fromkeys(versions, 0), dict.fromkeys(versions, 0.0)
    for share, of_share in units.groupby("share"):
        shares = [1 - float(str(share)), *[float(str(share)) / (len(versions) - 1)] * (len(versions) - 1)]
        wanted = {version: part * len(of_share) for version, part in zip(versions, shares, strict=True)}
        if min(wanted.values()) < _FEWEST:
            continue
        counted = of_share["version"].value_counts()
        for version, count in wanted.items():
            found[version] += int(counted.get(version, 0))
            expected[version] += count
            statistic += (counted.get(version, 0) - count) ** 2 / count
        degrees += len(versions) - 1
    return Ratio(found, expected, float(chi2.sf(statistic, degrees)) if degrees else 1.0)
