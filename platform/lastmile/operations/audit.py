"""The books, checked against the tables: what the ledger says was loaded or quarantined is what is there.

The rule: for every drop, rows read = loaded + quarantined + duplicate, and a drop's rows are visible exactly when its
ledger row says `loaded`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from psycopg import Connection, sql
from psycopg.pq import TransactionStatus

from lastmile.ledger.query import DropResult, results_of, unknown
from lastmile.quarantine.rows import counts_by_drop


def violations(connection: Connection, dataset: str, partitions: Sequence[str] | None = None) -> list[str]:
    """One sentence per drop of the dataset whose rows and ledger disagree; empty when the books are right.

    `partitions` narrows it to some; None means all. The dataset's table must exist.
    """
    with _one_moment(connection):
        visible: dict[int, int] = dict(
            connection.execute(
                sql.SQL("SELECT _drop_id, count(*) FROM {} GROUP BY 1").format(sql.Identifier("raw", dataset))
            ).fetchall()
        )
        quarantined = counts_by_drop(connection, dataset)
        drops = results_of(connection, dataset, partitions)
        strangers = unknown(connection, dataset, list(visible))
    faults = {drop: _faults(drop, visible.get(drop.id, 0), *quarantined.get(drop.id, (0, 0))) for drop in drops}
    return [
        *(f"drop {drop.id} ({drop.key}): {'; '.join(found)}" for drop, found in faults.items() if found),
        *(f"{visible[drop_id]} rows name drop {drop_id}, which the ledger does not have" for drop_id in strangers),
    ]


def _faults(drop: DropResult, visible: int, bad: int, duplicate: int) -> list[str]:
    is_loaded = drop.state == "loaded"
    adds_up = drop.rows_read == drop.rows_loaded + drop.rows_quarantined + drop.rows_duplicate
    checks = {
        "its counts do not add up": not adds_up,
        f"ledger says {drop.rows_loaded} rows loaded, {visible} are visible": is_loaded and visible != drop.rows_loaded,
        f"is {drop.state}, yet {visible} rows are visible": not is_loaded and visible > 0,
        (
            f"ledger says {drop.rows_quarantined} quarantined and {drop.rows_duplicate} duplicate, {bad} and"
            f" {duplicate} are in the quarantine"
        ): is_loaded and (bad, duplicate) != (drop.rows_quarantined, drop.rows_duplicate),
    }
    return [sentence for sentence, is_fault in checks.items() if is_fault]


@contextmanager
def _one_moment(connection: Connection) -> Iterator[None]:
    """All statements see the tables as of one moment, unless the caller's transaction is under way already."""
    is_ours = connection.info.transaction_status == TransactionStatus.IDLE
    with connection.transaction():
        if is_ours:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield
