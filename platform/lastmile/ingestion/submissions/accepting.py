"""Accepting submissions: many in a few statements, in the transaction of the caller.

Who accepts waits for who does already, in this process or another: so records get their ids in the order in which they
become visible, and two requests with the same key, or the same revision of a record, never both count.
"""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from psycopg import Connection

from lastmile.ingestion.submissions.submission import Accepted, Record, Submission
from lastmile.telemetry.spans import span

_JOBS = """
INSERT INTO submissions.jobs
    (id, kind, dataset, partition, principal, idempotency_key, fingerprint, records, bytes, traceparent)
SELECT * FROM unnest(
    %s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bytea[], %s::bigint[], %s::bigint[],
    %s::text[]
) ON CONFLICT DO NOTHING RETURNING id
"""
_RECORDS = """
INSERT INTO submissions.records
    (job, dataset, partition, record, revision, digest, body, withdrawn, parent, set_of)
SELECT job, dataset, partition, record, revision, digest, body, withdrawn, parent,
    (SELECT coalesce(p.set_of, p.id) FROM submissions.records p
     WHERE (p.dataset, p.record, p.digest) = (given.parent_dataset, given.parent, given.parent_digest))
FROM unnest(
    %s::uuid[], %s::text[], %s::text[], %s::text[], %s::bigint[], %s::bytea[], %s::text[], %s::boolean[],
    %s::text[], %s::text[], %s::bytea[]
) WITH ORDINALITY AS given
    (job, dataset, partition, record, revision, digest, body, withdrawn, parent_dataset, parent, parent_digest, place)
ORDER BY place
ON CONFLICT DO NOTHING RETURNING job
"""
_REPEATED = """
UPDATE submissions.jobs j SET repeated = known.ids FROM (
    SELECT given.job, array_agg(r.id ORDER BY r.id) AS ids
    FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::bytea[]) AS given (job, dataset, record, digest)
    JOIN submissions.records r USING (dataset, record, digest) WHERE r.job <> given.job GROUP BY given.job
) known WHERE j.id = known.job RETURNING j.id, cardinality(known.ids)
"""
_KNOWN = """
SELECT DISTINCT j.principal, j.idempotency_key, j.id, j.fingerprint, j.records, cardinality(j.repeated)
FROM submissions.jobs j
JOIN unnest(%s::text[], %s::text[]) AS given (principal, idempotency_key) USING (principal, idempotency_key)
"""


def accept(connection: Connection, submissions: Sequence[Submission]) -> list[Accepted]:
    """What became of each, in their order. Call it in a transaction: what it gives holds once that is committed."""
    with span("db.accept", records=sum(len(one.records) for one in submissions)):
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('submissions.records'))")
        new = _insert_jobs(connection, submissions)
        accepted = [one for one in submissions if one.job in new]
        repeated = _insert_records(connection, accepted)
        known = _known(connection, [one for one in submissions if one.job not in new])
    return [
        Accepted(one.job, len(one.records), repeated.get(one.job, 0))
        if one.job in new
        else _again(one, *known[one.principal, one.idempotency_key])
        for one in submissions
    ]


def _insert_jobs(connection: Connection, submissions: Sequence[Submission]) -> set[UUID]:
    rows = [
        (
            *(s.job, s.kind, s.dataset, s.partition, s.principal, s.idempotency_key, s.fingerprint),
            *(len(s.records), s.bytes, s.traceparent),
        )
        for s in submissions
    ]
    return {job for (job,) in connection.execute(_JOBS, _columns(rows, 10)).fetchall()}


def _insert_records(connection: Connection, submissions: Sequence[Submission]) -> dict[UUID, int]:
    """How many records of each job were there before, of those that have such."""
    pairs = [(one.job, record) for one in submissions for record in one.records]
    owners, owned = ([pair for pair in pairs if bool(pair[1].owner) is is_owned] for is_owned in (False, True))
    inserted = 0
    for some in _generations(owners, owned):
        inserted += len(connection.execute(_RECORDS, _columns(some, 11)).fetchall())
    if inserted == len(pairs):
        return {}
    names = [(job, one.dataset, one.record, one.digest) for job, one in pairs]
    return dict(connection.execute(_REPEATED, _columns(names, 4)).fetchall())


def _generations(
    owners: Sequence[tuple[UUID, Record]], owned: Sequence[tuple[UUID, Record]]
) -> Iterator[list[tuple[Any, ...]]]:
    """Rows to insert: those of no owner, then those whose owners are inserted, and so on."""
    yield [_row(job, one) for job, one in owners]
    there = {one.as_owner() for _, one in owners}
    while owned:
        ready = [pair for pair in owned if pair[1].owner in there] or list(owned)
        yield [_row(job, one) for job, one in ready]
        there |= {one.as_owner() for _, one in ready}
        done = {id(one) for _, one in ready}
        owned = [pair for pair in owned if id(pair[1]) not in done]


def _row(job: UUID, one: Record) -> tuple[Any, ...]:
    owner = one.owner or (None, None, None)
    return (job, one.dataset, one.partition, one.record, one.revision, one.digest, one.body, one.withdrawn, *owner)


def _known(connection: Connection, submissions: Sequence[Submission]) -> dict[tuple[str, str | None], tuple[Any, ...]]:
    if not submissions:
        return {}
    names = [(one.principal, one.idempotency_key) for one in submissions]
    found = connection.execute(_KNOWN, _columns(names, 2)).fetchall()
    return {(principal, key): tuple(rest) for principal, key, *rest in found}


def _again(one: Submission, job: UUID, fingerprint: bytes, records: int, repeated: int) -> Accepted:
    is_same = fingerprint == one.fingerprint
    return Accepted(job, records, repeated, replayed=is_same, conflicting=not is_same)


def _columns(rows: Sequence[tuple[Any, ...]], count: int) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(count)]


def weight(submission: Submission) -> int:
    """Of how much it adds to a commit."""
    return 1 + len(submission.records)
