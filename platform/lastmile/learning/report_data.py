"""What a report may read: the warehouse by SQL, how the drops of datasets fared, and how good a model is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from psycopg import Connection, sql
from psycopg.rows import dict_row

from lastmile.learning import plots, registry
from lastmile.learning.declarations.model import Classification, Model
from lastmile.learning.tables import read
from lastmile.quarantine import trend

Row = dict[str, Any]
_MOST_REASONS = 15


@dataclass(frozen=True)
class ReportData:
    """Read at the moment it is asked for; what does not exist yet is empty, never an error."""

    connection: Connection
    store: str

    def frame(self, query: str, needs: str | None = None) -> pd.DataFrame:
        """The rows of an SQL query; none, and no columns, while the table `needs` (schema.table) does not exist."""
        if needs is not None and not self._exists(needs):
            return pd.DataFrame()
        return read(self.connection, sql.SQL(query.replace("{", "{{").replace("}", "}}")))

    def rows_by_folder(self, datasets: Sequence[str]) -> list[Row]:
        """Rows of the drops in force by folder and partition, those with the largest share not loaded first."""
        return self._rows(
            """
            SELECT split_part(key, '/', 4) AS folder, partition, sum(rows_read)::bigint AS read,
                sum(rows_loaded)::bigint AS loaded, sum(rows_quarantined)::bigint AS quarantined,
                sum(rows_duplicate)::bigint AS duplicate
            FROM ledger.drops
            WHERE store = %s AND dataset = ANY(%s) AND state IN ('loaded', 'quarantined')
            GROUP BY 1, 2 HAVING sum(rows_read) > 0
            ORDER BY sum(rows_quarantined + rows_duplicate) / sum(rows_read) DESC, 2, 1
            """,
            [self.store, list(datasets)],
        )

    def most_broken(self, datasets: Sequence[str]) -> list[Row]:
        """The rules most rows broke, each with how many rows, in how many drops, and an example."""
        return self._rows(
            """
            SELECT rows.dataset, reason ->> 'column' AS column, reason ->> 'rule' AS rule, count(*) AS rows,
                count(DISTINCT drop_id) AS drops, min(reason ->> 'message') AS example
            FROM quarantine.rows AS rows JOIN ledger.drops AS drops ON drops.id = drop_id,
                jsonb_array_elements(reasons) AS reason
            WHERE store = %s AND rows.dataset = ANY(%s) AND state IN ('loaded', 'quarantined') AND discarded_at IS NULL
                AND NOT EXISTS (SELECT FROM quarantine.discarded AS unwanted
                    WHERE unwanted.drop_id = rows.drop_id AND unwanted.line = rows.line)
            GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1, 2, 3 LIMIT %s
            """,
            [self.store, list(datasets), _MOST_REASONS],
        )

    def trends(self, datasets: Sequence[str]) -> list[Row]:
        """For each dataset the share of bad rows from drop to drop, and what is unusual about the newest."""
        found = {dataset: trend.shares(self.connection, self.store, dataset) for dataset in datasets}
        return [
            {
                "dataset": dataset,
                "drops": len(shares),
                "newest": shares[-1].share,
                "usual": trend.usual(shares),
                "unusual": trend.anomaly(shares),
                "picture": plots.as_source(
                    plots.trend(dataset, [drop.share for drop in shares], trend.usual(shares), "drops, the newest last")
                ),
            }
            for dataset, shares in found.items()
            if shares
        ]

    def model(self, model: Model, described: Mapping[str, str]) -> Row | None:
        """The newest version, its scores next to the dummy's under the words of `described`, and pictures."""
        version = registry.latest(self.connection, model.name)
        if version is None:
            return None
        scores = version.scores
        shown: Row = {
            "version": version,
            "scores": [(text, scores[name], scores["dummy"][name]) for name, text in described.items()],
            "importance": plots.as_source(plots.importance(scores["importance"])),
        }
        if isinstance(model.task, Classification):
            levels = model.task.levels
            shown["recall"] = {level: scores["recall"][level] for level in levels if level in scores["recall"]}
            shown["confusion"] = plots.as_source(plots.confusion(levels, scores["confusion"]))
        return shown

    def _exists(self, table: str) -> bool:
        row = self.connection.execute("SELECT to_regclass(%s) IS NOT NULL", [table]).fetchone()
        return bool(row and row[0])

    def _rows(self, query: Any, values: Sequence[Any]) -> list[Row]:
        with self.connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(query, values).fetchall()
