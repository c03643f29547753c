"""How the API accepts what is sent in: group commits with their audit entries, and the gatherer, as long as it runs."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from typing import Annotated, NamedTuple, cast

from anyio.to_thread import run_sync
from fastapi import FastAPI, Header, HTTPException, Path, Query
from prometheus_client import CollectorRegistry, Counter
from psycopg import Connection
from starlette.requests import HTTPConnection

from lastmile.access import audit
from lastmile.access.principal import Principal
from lastmile.catalogue import Dataset
from lastmile.contracts.partition import Partition
from lastmile.errors import UserError
from lastmile.ingestion.submissions import Accepted, Submission, uploads
from lastmile.ingestion.submissions.accepting import accept, weight
from lastmile.ingestion.submissions.gatherer import Gatherer
from lastmile.ingestion.submissions.group_commit import GroupCommit
from lastmile.serving.door.permission import demand_dataset
from lastmile.serving.parameters import DATASET
from lastmile.serving.state import Serving

#: Records and requests of one commit.
_MOST = 20_000

Name = Annotated[str, Path(max_length=128, pattern=r"^[^\x00/]+$", description="the dataset", examples=DATASET)]
PartitionKey = Annotated[
    str | None,
    Query(pattern=r"^[0-9]{4}(-[0-9]{2}){0,2}$", description="such as 2024 or 2024-03; unless given, the one of today"),
]
IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=256,
        pattern=r"^[\x21-\x7e]+$",
        description="a text that is new for each request and the same when it is sent again, such as a UUID",
    ),
]


class Sent(NamedTuple):
    submission: Submission
    entry: audit.Entry


class Intake:
    """What the routers submit to."""

    def __init__(self, here: Serving, registry: CollectorRegistry) -> None:
        self._here = here
        self._accepted = Counter("lastmile_records_accepted", "Records accepted.", ["dataset"], registry=registry)
        self._commits: GroupCommit[Sent, Accepted] = GroupCommit(self._commit, lambda sent: weight(sent[0]), _MOST)
        self._gatherer = Gatherer(here.database_url, here.store, self.required, self._sweep)

    def open(self) -> None:
        self._commits.open()
        self._gatherer.open()

    def close(self) -> None:
        """Everything submitted is answered before this returns."""
        self._commits.close()
        self._gatherer.close()

    async def submit(self, submission: Submission, request_id: str) -> Accepted:
        """What became of it, once it is durable. Raises HTTPException (409) where its idempotency key is another's."""
        rows = len(submission.records)
        entry = audit.Entry(
            submission.principal,
            f"submit {submission.kind}",
            f"{submission.dataset}/{submission.partition}",
            rows,
            request_id,
        )
        accepted = await asyncio.wrap_future(self._commits.submit(Sent(submission, entry)))
        if accepted.conflicting:
            raise conflict()
        return accepted

    def required(self, dataset: str) -> Mapping[str, Collection[str]]:
        """The columns that each drop of the dataset must have, and the headers that stand for each."""
        found = self._here.catalogue().datasets.get(dataset)
        columns = found.columns if found else []
        return {column.name: (column.name, *column.aliases) for column in columns if column.required}

    def _commit(self, sent: Sequence[Sent]) -> Sequence[Accepted]:
        with self._here.writing() as connection, connection.transaction():
            results = accept(connection, [one.submission for one in sent])
            new = [one.entry for one, result in zip(sent, results, strict=True) if result.job == one.submission.job]
            audit.record(connection, *new)
        for one, result in zip(sent, results, strict=True):
            if result.job == one.submission.job:
                self._accepted.labels(one.submission.dataset).inc(len(one.submission.records))
        return results

    def _sweep(self, connection: Connection) -> None:
        uploads.sweep(connection, self._here.store, upload_landed)


def upload_landed(connection: Connection, upload: uploads.Upload) -> None:
    audit.record(connection, audit.Entry(upload.principal, "submit file", f"{upload.dataset}/{upload.partition}"))


@asynccontextmanager
async def opened(app: FastAPI, here: Serving) -> AsyncIterator[None]:
    """The intake of the app, at `app.state.intake`."""
    app.state.intake = intake = Intake(here, app.state.observed.registry)
    intake.open()
    try:
        yield
    finally:
        await run_sync(intake.close)


def intake(connection: HTTPConnection) -> Intake:
    return cast("Intake", connection.app.state.intake)


async def dataset_of(here: Serving, principal: Principal, name: str) -> Dataset:
    """The dataset, which the principal may upload to. Raises HTTPException (403, 404)."""
    demand_dataset(principal, name)
    known = here.catalogue_at_hand()
    if known is None:
        known = await run_sync(here.catalogue)
    datasets = known.datasets
    if name not in datasets:
        raise HTTPException(404, f"there is no dataset {name!r}; there are: {', '.join(datasets) or 'none yet'}")
    return datasets[name]


def partition_of(dataset: Dataset, given: str | None) -> str:
    """The partition, unless given that of today. Raises UserError for one that the dataset cannot have."""
    partition = Partition(dataset.unit, date.fromisoformat(f"{dataset.start}-01-01"[:10]), dataset.partition_column)
    key = given or partition.key_of(datetime.now(UTC).date())
    try:
        partition.window(key)
    except ValueError as error:
        raise UserError(f"{dataset.name}: {error}") from None
    return key


def conflict() -> HTTPException:
    return HTTPException(
        409, "this Idempotency-Key was used for another request before: send a new one with each new request"
    )
