"""The ledger: what happened to each drop, one row each, written in the transaction that moves its rows.

The ledger alone decides what is new. A drop is held by one worker at a time through a claim: a token that the final
write must still own, so a worker that lost its claim cannot commit. A claim is dead once the database session that took
it is gone (a killed worker's socket closes at once) or its lease has run out, whichever comes first.
"""

from lastmile.ledger.backlog import inventory, next_due, now, pending
from lastmile.ledger.claims import (
    LEASE,
    LONGEST_WAIT,
    MOST_ATTEMPTS,
    claim,
    claim_next,
    give_back,
    give_up,
    hold,
    put_back,
)
from lastmile.ledger.drops import ClaimLost, Drop, Found, NotDone, Outcome, State
from lastmile.ledger.outcomes import Settled, amend, keep, refilled, settle
from lastmile.ledger.registration import register, unsettled
from lastmile.ledger.versions import (
    apart,
    lock_key,
    same_bytes_elsewhere,
    same_content,
    supersede,
)

__all__ = [
    "LEASE",
    "LONGEST_WAIT",
    "MOST_ATTEMPTS",
    "ClaimLost",
    "Drop",
    "Found",
    "NotDone",
    "Outcome",
    "Settled",
    "State",
    "amend",
    "apart",
    "claim",
    "claim_next",
    "give_back",
    "give_up",
    "hold",
    "inventory",
    "keep",
    "lock_key",
    "next_due",
    "now",
    "pending",
    "put_back",
    "refilled",
    "register",
    "same_bytes_elsewhere",
    "same_content",
    "settle",
    "supersede",
    "unsettled",
]
