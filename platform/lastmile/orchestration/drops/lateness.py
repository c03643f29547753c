"""How late the drops of a partition came, as `raw/<dataset>` shows it; `ledger.lateness` says which are late."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

_DAY_SECONDS = 86_400


def lateness_metadata(late: Mapping[str, tuple[int, float]], partition: str) -> dict[str, Any]:
    """How many drops came after the end of their partition, and how long after it the latest of them came.

    `late` has both, by partition, seconds for the latter.
    """
    drops, seconds = late.get(partition, (0, 0.0))
    return {"late drops": drops, "latest by (days)": dg.MetadataValue.float(round(seconds / _DAY_SECONDS, 3))}
