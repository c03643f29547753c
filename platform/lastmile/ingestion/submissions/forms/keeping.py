"""Every version that was delivered, and the records that follow from them: in the transaction of the caller."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import uuid4

import orjson
from psycopg import Connection

from lastmile.contracts.form import Form
from lastmile.ingestion.submissions.accepting import accept
from lastmile.ingestion.submissions.forms.history import Kept, Standing, standing
from lastmile.ingestion.submissions.forms.rows import Target, partitions_of, rows
from lastmile.ingestion.submissions.forms.version import Version, loaded
from lastmile.ingestion.submissions.submission import Accepted, Record, Submission

_ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtext('submissions.form_versions'))"
_KEEP = """
INSERT INTO submissions.form_versions (form, names, digest, version) VALUES (%s, %s, %s, %s)
ON CONFLICT (form, digest) DO NOTHING
"""
#: Of the same submission as the names, whichever of its versions name which others.
_RELATED = """
WITH named AS (
    SELECT place, submission FROM submissions.form_versions WHERE form = %(form)s AND names && %(names)s::text[]
)
SELECT place, submission, standing, revision, version FROM submissions.form_versions
WHERE form = %(form)s
    AND (place IN (SELECT place FROM named) OR submission IN (SELECT submission FROM named))
ORDER BY place
"""
_SETTLE = """
UPDATE submissions.form_versions SET submission = %s, standing = %s, revision = %s WHERE place = ANY(%s::bigint[])
"""


class Delivered(NamedTuple):
    """A delivery as accepted; `partition` is that of its first submission."""

    accepted: Accepted
    partition: str


def submit(
    connection: Connection, form: Form, targets: Mapping[str, Target], versions: Sequence[Version], principal: str
) -> Delivered:
    """Keep the versions, and submit the records of their submissions as they stand then."""
    connection.execute(_ONE_AT_A_TIME)
    with connection.cursor() as cursor:
        cursor.executemany(_KEEP, [(form.name, one.names, one.digest, one.dumped().decode()) for one in versions])
    records: list[Record] = []
    seen: set[str] = set()
    for one in versions:
        if seen.isdisjoint(one.names):
            settled = _settled(connection, form, one)
            seen |= settled.names
            records += _records(form, targets, settled)
    partitions = partitions_of(form, targets, {}, versions[0].submitted)
    partition = records[0].partition if records else partitions[form.dataset]
    fingerprint = hashlib.sha256(b"".join(one.digest for one in versions)).digest()
    sent = Submission(uuid4(), "form", form.dataset, partition, principal, fingerprint, records)
    (accepted,) = accept(connection, [sent])
    return Delivered(accepted, partition)


class _Settled(NamedTuple):
    """How a submission stands. `revision` grows when that changes, and with nothing else; `names` are those of all its
    versions, `before` those that it had as a record until its versions were known to be one submission's."""

    standing: Standing
    revision: int
    names: set[str]
    before: list[str]


def _settled(connection: Connection, form: Form, one: Version) -> _Settled:
    found = connection.execute(_RELATED, {"form": form.name, "names": one.names}).fetchall()
    kept = [Kept(place, loaded(version)) for place, *_, version in found]
    now = standing(kept)
    known = {(name, digest): revision for _, name, digest, revision, _ in found}
    places = [one.place for one in kept]
    revision = known.get((now.root, now.digest)) or places[-1]
    connection.execute(_SETTLE, [now.root, now.digest, revision, places])
    before = sorted({name for name, _ in known if name} - {now.root})
    return _Settled(now, revision, {name for one in kept for name in one.version.names}, before)


def _records(form: Form, targets: Mapping[str, Target], settled: _Settled) -> list[Record]:
    """The record of a submission and those of its repeats; or its end, as of those under another name before."""
    now, revision = settled.standing, settled.revision
    if now.answers is None:
        return []
    own, *entries = rows(form, targets, now.answers)
    partitions = partitions_of(form, targets, own.values, now.submitted)
    where = partitions[form.dataset]
    ends = [Record(form.dataset, where, name, "{}", revision, withdrawn=True) for name in settled.before]
    if now.deleted or now.review not in form.accept:
        return [*ends, Record(form.dataset, where, now.root, "{}", revision, withdrawn=True)]
    record = Record(form.dataset, where, now.root, _json(own.values), revision)
    owner = record.as_owner()
    owned = [
        Record(one.dataset, partitions[one.dataset], f"{now.root}{one.place}", _json(one.values), owner=owner)
        for one in entries
    ]
    return [*ends, record, *owned]


def _json(values: Mapping[str, object]) -> str:
    return orjson.dumps(values).decode()
