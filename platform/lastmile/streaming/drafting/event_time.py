"""Which column says when an event happened, to go by types and names."""

import re

from lastmile.contracts import Contract

#: Names of the time at which a thing happened, and of times that are not that one.
_HAPPENED = re.compile(r"^(at|ts|time|timestamp|when)$|event|happen|occur|observed|measured")
_LATER = re.compile(r"receiv|ingest|process|publish|sent|updat|modif|expire|valid|due|delet")


def event_times(contract: Contract) -> list[str]:
    """The timestamps that every event has, the likeliest first."""
    kinds = contract.kinds
    found = [name for name, one in contract.columns.items() if kinds[name].name == "timestamp" and not one.nullable]
    return sorted(found, key=lambda name: 0 if _HAPPENED.search(name) else 2 if _LATER.search(name) else 1)
