"""How soon the next drop of a dataset is expected, and when it is stale.

Dagster's daemon evaluates the policy every 30 seconds, without a run: a dataset that nothing comes in for is found
stale. It goes by the newest materialization, though, and to ingest old drops again makes one too. So each run goes by
the newest drop, in the check `fresh`, which fails after a run that brought nothing new.
"""

from datetime import UTC, datetime, timedelta

import dagster as dg

from lastmile.contracts.contract import Contract

#: Dagster accepts no shorter one.
_SHORTEST = timedelta(minutes=1)


def freshness_policy(contract: Contract) -> dg.FreshnessPolicy | None:
    """Stale when nothing was ingested for as long as the contract expects; None where it expects nothing."""
    expected = _expected_every(contract)
    return dg.FreshnessPolicy.time_window(max(expected, _SHORTEST)) if expected else None


def stale(contract: Contract, newest: datetime | None) -> list[str]:
    """The reason, where the newest drop is older than the contract expects; nothing where there was none yet."""
    expected = _expected_every(contract)
    if expected is None or newest is None or datetime.now(UTC) - newest <= expected:
        return []
    return [f"the newest drop came {newest:%Y-%m-%d %H:%M}; one is expected every {expected}"]


def _expected_every(contract: Contract) -> timedelta | None:
    return contract.arrival.expected_every
