"""Ingestion on many machines: the drops of one run, ingested by the workers of a Dask cluster.

The ledger decides who ingests which drop, as it does among workers of one machine. A task only says: ingest some of the
pending drops. So a task that Dask retries, or runs twice, finds finished what is finished; a worker that dies loses
only its time.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from lastmile.errors import UserError
from lastmile.settings import Settings

if TYPE_CHECKING:
    from distributed import Client

    from lastmile.ledger import Drop, Outcome

#: Instead of a scheduler's address: a cluster of this machine's cores, for the duration of the run.
LOCAL = "local"
#: After each task its worker reports, and another may have joined the cluster.
DROPS_PER_TASK = 200
#: For a scheduler to answer, and for the first worker to join.
TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class WorkerContext:
    """What a worker needs: where database and store are, and which contract of its own code it ingests by.

    `settings` name a database and a store that every worker can reach; `s3_options` are those of `open_store`.
    """

    settings: Settings
    dataset: str
    contract_version: str
    s3_options: Mapping[str, str] | None = None


def ingest_on_dask(
    scheduler: str,
    context: WorkerContext,
    partitions: Sequence[str],
    run_id: str,
    redo_before: datetime | None = None,
    report: "Callable[[Drop, Outcome], None]" = lambda drop, outcome: None,
    drops_per_task: int = DROPS_PER_TASK,
) -> "list[Outcome]":
    """Ingest the pending drops of the partitions on this scheduler's cluster, until none is left.

    With `redo_before`, those settled before that time are re-ingested too. Raises UserError where there is no cluster,
    or a worker fails: what was committed until then stays.
    """
    from distributed import as_completed

    outcomes = []
    with cluster(scheduler) as client:

        def submit() -> Any:
            arguments = (context, list(partitions), run_id, redo_before, drops_per_task)
            return client.submit(_ingest_some, *arguments, pure=False)

        tasks = as_completed([submit() for _ in client.nthreads()])
        for task in tasks:
            ingested = _result(task)
            for drop, outcome in ingested:
                outcomes.append(outcome)
                report(drop, outcome)
            if len(ingested) == drops_per_task:
                tasks.add(submit())
    return outcomes


@contextmanager
def cluster(scheduler: str) -> "Iterator[Client]":
    """A client of the cluster, once it has a worker. Raises UserError where it is unavailable."""
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise UserError("ingesting on Dask needs its package: install lastmile[dask]") from error
    if scheduler == LOCAL:
        with LocalCluster(threads_per_worker=1, dashboard_address=None) as local, Client(local) as client:
            yield client
        return
    try:
        client = Client(scheduler, timeout=TIMEOUT_SECONDS)
    except (OSError, ValueError) as error:
        raise UserError(f"no Dask scheduler answers at {scheduler}: {error}") from error
    with client:
        try:
            client.wait_for_workers(1, timeout=TIMEOUT_SECONDS)
        except TimeoutError as error:
            raise UserError(
                f"the Dask scheduler at {scheduler} has no workers; start some with `dask worker`"
            ) from error
        yield client


def _result(task: Any) -> "list[tuple[Drop, Outcome]]":
    from distributed.scheduler import KilledWorker

    try:
        ingested: list[tuple[Drop, Outcome]] = task.result()
    except KilledWorker as error:
        raise UserError(
            "several Dask workers died on the same task, perhaps of one drop. Run it again: the ledger gives up a drop"
            f" that keeps killing workers, and the others are ingested. {error}"
        ) from error
    return ingested


def _ingest_some(
    context: WorkerContext, partitions: Sequence[str], run_id: str, redo_before: datetime | None, limit: int
) -> "list[tuple[Drop, Outcome]]":
    """The task of a worker: ingest pending drops, `limit` at most."""
    from lastmile.contracts.loading import load_contracts
    from lastmile.ingestion.worker import ingest_pending
    from lastmile.store import open_store
    from lastmile.warehouse.connections import connect, database_url

    contract = load_contracts(context.settings.assets).get(context.dataset)
    if contract is None or contract.version != context.contract_version:
        found = "none" if contract is None else f"version {contract.version}"
        raise UserError(
            f"dataset {context.dataset}: expected its contract in version {context.contract_version} on every Dask"
            f" worker, found {found}. Deploy the same code to the workers."
        )
    ingested: list[tuple[Drop, Outcome]] = []
    store = open_store(context.settings, context.s3_options)
    with connect(database_url(context.settings)) as connection:
        redo = redo_before or False
        ingest_pending(
            connection, store, contract, partitions, run_id, redo, lambda *drop: ingested.append(drop), limit=limit
        )
    return ingested
