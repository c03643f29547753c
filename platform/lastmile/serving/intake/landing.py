"""A spooled file into the landing area, with the job that it is followed by."""

from pathlib import Path
from uuid import UUID

from lastmile.access import audit
from lastmile.errors import UserError
from lastmile.ingestion.submissions import Accepted, Submission, jobs
from lastmile.ingestion.upload import checked_name
from lastmile.serving.intake.accepting import conflict
from lastmile.serving.state import Serving
from lastmile.store.landing import GATHERED, LANDING
from lastmile.telemetry.spans import span


def key_of(dataset: str, partition: str, name: str) -> str:
    """Where the file will lie. Raises UserError for a name that it cannot have."""
    if name.startswith(GATHERED):
        raise UserError(f"names below {GATHERED} are those of records sent one by one; give the file another one")
    key = f"{LANDING}{dataset}/{partition}/{name}"
    checked_name(name)
    checked_name(key)
    return key


def new_key(dataset: str, partition: str, job: UUID, given: str) -> str:
    """A name that no other file has; with the file's own in it, where that can be part of one."""
    own = given.replace("\\", "/").rsplit("/", 1)[-1]
    try:
        return key_of(dataset, partition, f"{job}-{own}" if own else str(job))
    except UserError:
        return key_of(dataset, partition, str(job))


def land(here: Serving, file: Path, sent: Submission, key: str, sha256: str, entry: audit.Entry) -> Accepted:
    """Its job, once the file lies there. What was sent before with the same idempotency key lands once."""
    about = {"dataset": sent.dataset, "partition": sent.partition, "bytes": sent.bytes, "job": str(sent.job)}
    with span("serving.land", **about):
        return _land(here, file, sent, key, sha256, entry)


def _land(here: Serving, file: Path, sent: Submission, key: str, sha256: str, entry: audit.Entry) -> Accepted:
    with here.writing() as connection, connection.transaction():
        accepted = jobs.begin_file(connection, sent, here.store.url, key, sha256)
        if accepted.conflicting:
            raise conflict()
        if accepted.replayed and jobs.has_landed(connection, accepted.job):
            return accepted
    try:
        here.store.publish(key, file)
        version = here.store.head(key).version
    except Exception:
        if sent.idempotency_key is None:  # else it lands when it is sent again
            _forget(here, accepted.job)
        raise
    with here.writing() as connection, connection.transaction():
        jobs.land(connection, accepted.job, version)
        audit.record(connection, entry)
    return accepted


def _forget(here: Serving, job: UUID) -> None:
    with here.writing() as connection:
        jobs.forget(connection, job)
