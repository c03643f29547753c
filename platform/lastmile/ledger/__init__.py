"""The ledger: what happened to each drop, one row each, written in the transaction that moves its rows.

The ledger alone decides what is new. A drop is held by one worker at a time through a claim: a token that the final
write must still own, so a worker that lost its claim cannot commit. A claim is dead once the database session of its
worker is gone (a killed worker's socket closes at once) or its lease has run out, whichever comes first.
"""

from lastmile.ledger.backlog import inventory, now, pending
from lastmile.ledger.claims import (
    LEASE,
    LONGEST_WAIT,
    MOST_ATTEMPTS,
    claim,
    claim_next,
    fail_exhausted,
    lock_claims,
    next_due,
    release_claim,
    requeue,
)
from lastmile.ledger.drops import ClaimLost, Drop, ListedDrop, Outcome, RequestRefused, State
from lastmile.ledger.events import add_event
from lastmile.ledger.fates import Fate, fates
from lastmile.ledger.outcomes import Settled, decline, record_column_fill, record_release, settle
from lastmile.ledger.query import DropFilter, DropRecord, DropResult, Event, find, loaded_ids, results
from lastmile.ledger.registration import refuse, register, unsettled
from lastmile.ledger.requests import discard_drops, reingest, request_column_fill, request_reingest, request_rows
from lastmile.ledger.versions import (
    is_alone,
    lock_key,
    lock_unlike_others,
    not_batchable,
    same_content,
    same_content_elsewhere,
    supersede,
)

__all__ = [
    "LEASE",
    "LONGEST_WAIT",
    "MOST_ATTEMPTS",
    "ClaimLost",
    "Drop",
    "DropFilter",
    "DropRecord",
    "DropResult",
    "Event",
    "Fate",
    "ListedDrop",
    "Outcome",
    "RequestRefused",
    "Settled",
    "State",
    "add_event",
    "claim",
    "claim_next",
    "decline",
    "discard_drops",
    "fail_exhausted",
    "fates",
    "find",
    "inventory",
    "is_alone",
    "loaded_ids",
    "lock_claims",
    "lock_key",
    "lock_unlike_others",
    "next_due",
    "not_batchable",
    "now",
    "pending",
    "record_column_fill",
    "record_release",
    "refuse",
    "register",
    "reingest",
    "release_claim",
    "request_column_fill",
    "request_reingest",
    "request_rows",
    "requeue",
    "results",
    "same_content",
    "same_content_elsewhere",
    "settle",
    "supersede",
    "unsettled",
]
