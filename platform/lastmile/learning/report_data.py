"""What a report may read: the warehouse by SQL, how the drops of datasets fared, and how good a model is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd
from psycopg import Connection, sql

from lastmile.learning import plots
from lastmile.learning.declarations.model import Classification, Model
from lastmile.learning.registry.deployments import champion
from lastmile.learning.tables import read
from lastmile.ledger.query import rows_by_folder
from lastmile.operations import days
from lastmile.quarantine import trend
from lastmile.quarantine.query import most_broken

Row = dict[str, Any]
_MOST_REASONS = 15


@dataclass(frozen=True)
class ReportData:
    """Read at the moment of the call; what does not exist yet is empty, never an error."""

    connection: Connection
    store: str

    def frame(self, query: str, needs: str | None = None) -> pd.DataFrame:
        """The rows of an SQL query; none, and no columns, while the table `needs` (schema.table) does not exist."""
        if needs is not None and not self._exists(needs):
            return pd.DataFrame()
        return read(self.connection, sql.SQL(query.replace("{", "{{").replace("}", "}}")))

    def rows_by_folder(self, datasets: Sequence[str]) -> list[Row]:
        """Rows of the drops in force by folder and partition, those with the largest share not loaded first."""
        return rows_by_folder(self.connection, self.store, datasets)

    def most_broken(self, datasets: Sequence[str]) -> list[Row]:
        """The rules most rows broke, each with how many rows, in how many drops, and an example."""
        return most_broken(self.connection, self.store, datasets, _MOST_REASONS)

    def drops_between(self, datasets: Sequence[str], first: date, after: date) -> list[Row]:
        """What came in over the days, by dataset."""
        return days.drops_between(self.connection, datasets, first, after)

    def drops_by_day(self, datasets: Sequence[str], first: date, after: date) -> list[Row]:
        """What came in, day by day."""
        return days.drops_by_day(self.connection, datasets, first, after)

    def predictions_between(self, models: Sequence[str], first: date, after: date) -> list[Row]:
        """What was predicted over the days, by level."""
        return days.predictions_between(self.connection, models, first, after)

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
        """The version in use, its scores next to the dummy's under the words of `described`, and pictures."""
        version = champion(self.connection, model.name)
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
