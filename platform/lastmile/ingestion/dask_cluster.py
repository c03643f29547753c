"""The intake on many machines: the drops of one run, taken by the workers of a Dask cluster.

The ledger says who takes which drop, as it does among workers of one machine. A task only says: take some of what
waits. So one that Dask tries again, or carries out twice, finds done what was done; a worker that dies loses its time.
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

#: In context of a scheduler's address: a cluster of this machine's cores, for as long as the run takes.
LOCAL = "local"
#: Drops of one task. After them its worker reports, and another may have joined the cluster.
DROPS_PER_TASK = 200
#: Seconds for a scheduler to answer, and for the first worker to be there.
TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class WorkerContext:
    """What a worker opens database and store with, and the contract it takes drops by, which it has among its own.

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
    """Take the pending drops of the partitions on the cluster of this scheduler, until none waits that can be taken.

    With `redo_before`, those settled before that moment are taken too. Raises UserError where there is no cluster, or
    a worker cannot do its work: what was taken until then is taken.
    """
    from distributed import as_completed

    outcomes = []
    with cluster(scheduler) as client:

        def submit() -> Any:
            arguments = (context, list(partitions), run_id, redo_before, drops_per_task)
            return client.submit(_take, *arguments, pure=False)

        tasks = as_completed([submit() for _ in client.nthreads()])
        for task in tasks:
            taken = _result(task)
            for drop, outcome in taken:
                outcomes.append(outcome)
                report(drop, outcome)
            if len(taken) == drops_per_task:
                tasks.add(submit())
    return outcomes


@contextmanager
def cluster(scheduler: str) -> "Iterator[Client]":
    """A client of the cluster, once it has a worker. Raises UserError where there is none to be had."""
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise UserError("taking drops on Dask needs its package: install lastmile[dask]") from error
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
        taken: list[tuple[Drop, Outcome]] = task.result()
    except KilledWorker as error:
        raise UserError(
            "several Dask workers died on the same task, perhaps of one drop. Run it again: a drop that goes on killing"
            f" workers is given up by the ledger, and the others are taken. {error}"
        ) from error
    return taken


def _take(
    context: WorkerContext, partitions: Sequence[str], run_id: str, redo_before: datetime | None, most: int
) -> "list[tuple[Drop, Outcome]]":
    """What a worker does: take drops until none waits, `most` at most."""
    from lastmile.contracts.loading import load_contracts
    from lastmile.ingestion.worker import ingest_pending
    from lastmile.store import open_store
    from lastmile.warehouse.connections import connect, database_url

    contract = load_contracts(context.settings.assets).get(context.dataset)
    if contract is None or contract.version != context.contract_version:
        found = "none" if contract is None else f"version {contract.version}"
        raise UserError(
            f"dataset {context.dataset}: expected its contract in version {context.contract_version} on every Dask worker,"
            f" found {found}. Give the workers the same code."
        )
    taken: list[tuple[Drop, Outcome]] = []
    store = open_store(context.settings, context.s3_options)
    with connect(database_url(context.settings)) as connection:
        redo = redo_before or False
        ingest_pending(
            connection, store, contract, partitions, run_id, redo, lambda *drop: taken.append(drop), most=most
        )
    return taken
