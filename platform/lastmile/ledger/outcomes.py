"""The end of a drop, written in the transaction that moves its rows."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from psycopg import Connection
from psycopg.types.json import Jsonb

from lastmile.ledger.claims import ANSWERED, FREE, lock_claims
from lastmile.ledger.drops import Drop, Outcome
from lastmile.ledger.events import record_event


@dataclass(frozen=True)
class Settled:
    """A drop, what became of it, and the SHA-256 of its bytes where they were read."""

    drop: Drop
    outcome: Outcome
    sha256: str | None = None


def settle(connection: Connection, settled: Sequence[Settled], run_id: str) -> None:
    """Write the ends of held drops inside the caller's transaction."""
    ends = [
        asdict(one.outcome)
        | {"id": one.drop.id, "sha256": one.sha256, "retake": one.drop.retake, "refill": one.drop.refill}
        for one in settled
    ]
    connection.execute(
        f"""
        WITH ends AS (
            SELECT * FROM jsonb_to_recordset(%s) AS ends (
                id bigint, state text, read bigint, loaded bigint, quarantined bigint, duplicate bigint, sha256 text,
                format jsonb, schema_change jsonb, contract_version text, cleaned_key text, message text,
                retake bigint[], refill text[])
        ), settled AS (
            UPDATE ledger.drops
            SET state = ends.state, rows_read = read, rows_loaded = loaded, rows_quarantined = quarantined,
                rows_duplicate = duplicate, sha256 = coalesce(ends.sha256, drops.sha256),
                format = coalesce(ends.format, '{{}}'), schema_change = coalesce(ends.schema_change, '{{}}'),
                contract_version = ends.contract_version, cleaned_key = ends.cleaned_key, message = ends.message,
                run_id = %s, settled_at = clock_timestamp(), attempts = 0, {FREE},
                retake = nullif(drops.retake, ends.retake), refill = nullif(drops.refill, ends.refill)
            FROM ends WHERE drops.id = ends.id
        )
        INSERT INTO ledger.events (drop_id, state, run_id, message) SELECT id, state, %s, message FROM ends ORDER BY id
        """,
        [Jsonb(ends), run_id, run_id],
    )


def record_release(connection: Connection, drop: Drop, outcome: Outcome, run_id: str) -> None:
    """Write what a release changed of a held drop inside the caller's transaction: its counts and its cleaned file."""
    connection.execute(
        f"""
        UPDATE ledger.drops
        SET rows_loaded = %s, rows_quarantined = %s, rows_duplicate = %s, cleaned_key = %s, message = %s, run_id = %s,
            attempts = 0, {FREE}, retake = nullif(retake, %s::bigint[])
        WHERE id = %s
        """,
        [
            outcome.loaded, outcome.quarantined, outcome.duplicate, outcome.cleaned_key, outcome.message, run_id,
            drop.retake, drop.id,
        ],
    )  # fmt: skip
    record_event(connection, drop.id, outcome.state, run_id, outcome.message)


def record_column_fill(
    connection: Connection, drop: Drop, cleaned_key: str | None, change: Mapping[str, Any], message: str, run_id: str
) -> None:
    """Write what filling in columns changed of a held drop inside the caller's transaction: no row came or went."""
    connection.execute(
        f"""
        UPDATE ledger.drops
        SET cleaned_key = %s, schema_change = %s, message = %s, run_id = %s,
            attempts = 0, {FREE}, refill = nullif(refill, %s::text[])
        WHERE id = %s
        """,
        [cleaned_key, Jsonb(change), message, run_id, drop.refill, drop.id],
    )
    record_event(connection, drop.id, drop.state, run_id, message)


def decline(connection: Connection, drop: Drop, run_id: str, message: str) -> None:
    """End a redo or release that could not be done: the drop and its rows stay as they were, the reason is recorded."""
    with connection.transaction():
        lock_claims(connection, drop)
        connection.execute(
            f"""
            UPDATE ledger.drops
            SET settled_at = clock_timestamp(), message = %s, attempts = 0, {FREE}, {ANSWERED}
            WHERE id = %s
            """,
            [message, drop.retake, drop.refill, drop.id],
        )
        record_event(connection, drop.id, drop.state, run_id, message)
