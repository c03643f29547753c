"""How late the drops of a partition came, as `raw/<dataset>` shows it."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

_DAY_SECONDS = 86_400


def lateness_metadata(drops: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How many drops came after the end of their partition, and how long after it the latest of them came."""
    late = [drop["lateness_seconds"] for drop in drops if drop["lateness_seconds"]]
    return {
        "late drops": len(late),
        "latest by (days)": dg.MetadataValue.float(round(max(late, default=0.0) / _DAY_SECONDS, 3)),
    }
