"""What the vulnerability report shows, as plain values: predictions, quality of the drops, surveys in doubt, model."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import Connection, sql
from psycopg.rows import dict_row

from lastmile.learning import plots, registry
from lastmile.learning.feature_set import FeatureSet
from lastmile.learning.tables import identifier, names
from lastmile.ledger import query as ledger
from lastmile.quarantine import query as quarantine
from lastmile.quarantine import trend

Row = dict[str, Any]

_IN_DOUBT = ["inconsistent", "implausible", "undecided"]
_MOST_REASONS = 15
_SCORES = {
    "balanced_accuracy": "Balanced accuracy: share of each level recognised, mean over the levels",
    "pr_auc_macro": "Area under precision and recall, mean over the levels",
    "pr_auc_weighted": "Area under precision and recall, levels weighted by how common they are",
}


def contents(connection: Connection, store: str, name: str, features: FeatureSet) -> Mapping[str, Any]:
    """Everything the template needs. Parts that do not exist yet are empty, never an error."""
    predicted = _predicted(connection, name, features)
    surveys = ledger.rows_by_folder(connection, store, features.datasets)
    return {
        "levels": list(zip(features.levels, plots.LEVEL_COLOURS, strict=True)),
        "total": _sum(features, predicted, lambda _: "all").get("all", []),
        "by_year": _sum(features, predicted, lambda row: row["survey_year"]),
        "by_country": _sum(features, predicted, lambda row: (row["country"] or "country unknown").replace("_", " ")),
        "vulnerable": sum(row["households"] for row in predicted if row["level"] in features.positive),
        "positive": features.positive,
        "surveys": surveys,
        "rows": {part: sum(survey[part] for survey in surveys) for part in ("read", "quarantined", "duplicate")},
        "reasons": quarantine.most_broken(connection, store, features.datasets, _MOST_REASONS),
        "trends": _trends(connection, store, features.datasets),
        "in_doubt": _in_doubt(connection),
        "model": _model(connection, name, features),
    }


def _predicted(connection: Connection, name: str, features: FeatureSet) -> list[Row]:
    """Households by country, year and predicted level."""
    if not _exists(connection, f"predictions.{name}"):
        return []
    query = sql.SQL(
        "SELECT country, survey_year, predicted.{level} AS level, count(*) AS households"
        " FROM {predictions} AS predicted JOIN {features} USING ({key}) GROUP BY 1, 2, 3 ORDER BY 1, 2"
    ).format(
        level=sql.Identifier(features.target),
        predictions=identifier(f"predictions.{name}"),
        features=identifier(features.table),
        key=names(list(features.entity)),
    )
    return _rows(connection, query)


def _sum(features: FeatureSet, predicted: Sequence[Row], group: Any) -> dict[Any, list[int]]:
    """Households by level, in the levels' order, for each group, in the groups' order."""
    sums: dict[Any, list[int]] = defaultdict(lambda: [0] * len(features.levels))
    for row in predicted:
        sums[group(row)][features.levels.index(row["level"])] += row["households"]
    return dict(sorted(sums.items()))


def _trends(connection: Connection, store: str, datasets: Sequence[str]) -> list[Row]:
    """For each dataset the share of bad rows from drop to drop, and what is unusual about the newest."""
    found = {dataset: trend.shares(connection, store, dataset) for dataset in datasets}
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


def _in_doubt(connection: Connection) -> list[Row]:
    """Surveys whose conversion factor is not believed, so that no level of theirs is computed."""
    if not _exists(connection, "marts.dim_survey"):
        return []
    return _rows(
        connection,
        "SELECT survey_id, country, survey_year, households, conversion_check, conversion_reason FROM marts.dim_survey"
        " WHERE conversion_check = ANY(%s) ORDER BY survey_year, survey_id",
        [_IN_DOUBT],
    )


def _model(connection: Connection, name: str, features: FeatureSet) -> Row | None:
    version = registry.latest(connection, name)
    if version is None:
        return None
    scores, question = version.scores, f"pr_auc_{features.question}"
    described = {question: f"Area under precision and recall, {features.question} or not", **_SCORES}
    return {
        "version": version,
        "scores": [(text, scores[name], scores["dummy"][name]) for name, text in described.items()],
        "recall": {level: scores["recall"][level] for level in features.levels if level in scores["recall"]},
        "confusion": plots.as_source(plots.confusion(features.levels, scores["confusion"])),
        "importance": plots.as_source(plots.importance(scores["importance"])),
    }


def _exists(connection: Connection, table: str) -> bool:
    row = connection.execute("SELECT to_regclass(%s) IS NOT NULL", [table]).fetchone()
    return bool(row and row[0])


def _rows(connection: Connection, query: Any, values: Sequence[Any] = ()) -> list[Row]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, values).fetchall()
