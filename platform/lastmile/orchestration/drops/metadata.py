"""What an asset made from drops shows about itself: its columns with units, its drops, and the rules its rows broke."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from lastmile.contracts.contract import Contract

if TYPE_CHECKING:
    from lastmile.quarantine.trend import Share

#: Drops shown in an asset's metadata; the ledger has them all.
MOST_SHOWN = 20
#: What a partition says for which nothing has come.
NO_DROP = "no drop"
_MOST_BARS = 30
_COUNTS = ("rows_read", "rows_loaded", "rows_quarantined", "rows_duplicate")


def column_schema(contract: Contract) -> dg.TableSchema:
    """The contract's columns as Dagster shows them; unit and privacy stand with the description."""
    return dg.TableSchema(columns=[_column(contract, name) for name in contract.columns])


def _column(contract: Contract, name: str) -> dg.TableColumn:
    spec, extra = contract.columns[name], contract.metadata(name)
    notes = [f"unit: {extra['unit']}" if extra["unit"] else "", "personal" if extra["personal"] else ""]
    return dg.TableColumn(
        name,
        type=str(spec.dtype),
        description=" · ".join(part for part in [spec.description or "", *notes] if part),
        constraints=dg.TableColumnConstraints(
            nullable=not spec.required,
            unique=contract.key == (name,),
            other=[check.error or check.name or "" for check in spec.checks],
        ),
    )


def arrival_metadata(drops: Sequence[Mapping[str, Any]], rows_in: dg.AssetKey) -> dict[str, Any]:
    """What is known of drops before they are read: counts, and a table of them, newest first.

    What became of their rows is with the asset that `rows_in` names.
    """
    shown = [
        dg.TableRecord(
            {
                "drop": drop["id"],
                "file": drop["key"],
                "bytes": drop["size"],
                "appeared": f"{drop['appeared_at']:%Y-%m-%d %H:%M} UTC",
                "version": drop["version"],
            }
        )
        for drop in reversed(drops[-MOST_SHOWN:])
    ]
    return {
        "drops": len(drops),
        "bytes": sum(drop["size"] for drop in drops),
        **_said(drops),
        "rows of these drops": dg.MetadataValue.asset(rows_in),
        **({"latest drops": dg.MetadataValue.table(shown)} if shown else {}),
    }


def inventory_metadata(drops: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Counts over the drops, by state too, and a table of them, newest first."""
    shown = [_record(drop) for drop in reversed(drops[-MOST_SHOWN:])]
    states = Counter(drop["state"] for drop in drops)
    return {
        "drops": len(drops),
        "bytes": sum(drop["size"] for drop in drops),
        **_said(drops),
        **({"states": ", ".join(f"{count} {state}" for state, count in sorted(states.items()))} if drops else {}),
        **{name: sum(drop[name] for drop in drops if drop["state"] in ("loaded", "quarantined")) for name in _COUNTS},
        "dagster/row_count": sum(drop["rows_loaded"] for drop in drops if drop["state"] == "loaded"),
        **({"latest drops": dg.MetadataValue.table(shown)} if shown else {}),
    }


def _said(drops: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {} if drops else {"state": NO_DROP}


def quarantine_metadata(
    drops: Sequence[Mapping[str, Any]], broken: Sequence[Mapping[str, Any]], discarded: int
) -> dict[str, Any]:
    """Rows quarantined and which rules they broke, most often first. Rows discarded are counted, with no rule."""
    rows = [
        dg.TableRecord({name: rule[name] or "" for name in ("column", "rule", "rows", "example")})
        for rule in broken[:MOST_SHOWN]
    ]
    in_force = [drop for drop in drops if drop["state"] != "superseded"]
    whole = [drop for drop in drops if drop["state"] in ("quarantined", "failed", "missing")]
    return {
        **_said(drops),
        "dagster/row_count": sum(drop["rows_quarantined"] + drop["rows_duplicate"] for drop in in_force),
        "rows discarded": discarded,
        "drops quarantined whole": sum(drop["discarded_at"] is None for drop in whole),
        "drops discarded": sum(drop["discarded_at"] is not None for drop in whole),
        **({"rules broken": dg.MetadataValue.table(rows)} if rows else {}),
    }


def trend_metadata(title: str, shares: Sequence["Share"]) -> dict[str, Any]:
    """A picture of the share of bad rows from drop to drop, in the order they came."""
    from lastmile.learning.plots import as_markdown, trend
    from lastmile.quarantine.trend import usual

    if not shares:
        return {}
    unit = f"drops in the order they came, the newest {len(shares)}; dashed: the median"
    picture = trend(title, [drop.share for drop in shares], usual(shares), unit)
    return {"trend": dg.MetadataValue.md(as_markdown(picture, title))}


def quality_metadata(drops: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A picture of the rows loaded and quarantined, drop by drop, those with the most bad rows first."""
    from lastmile.learning.plots import as_markdown, shares

    ingested = [drop for drop in drops if drop["state"] in ("loaded", "quarantined") and drop["rows_read"]]
    worst = sorted(ingested, key=lambda drop: drop["rows_loaded"] / drop["rows_read"])[:_MOST_BARS]
    if not worst:
        return {}
    bars = {_place(drop): [drop[name] for name in _COUNTS[1:]] for drop in worst}
    title = f"Rows of {worst[0]['dataset']} {worst[0]['partition']}"
    picture = shares(
        title, bars, ("loaded", "quarantined", "duplicate"), ("#2a9d8f", "#c8553d", "#e9c46a"), "rows read"
    )
    return {"quality": dg.MetadataValue.md(as_markdown(picture, title))}


def _place(drop: Mapping[str, Any]) -> str:
    """The drop's place in its partition, such as the survey's folder."""
    return str(drop["key"].split("/", 3)[-1].rsplit("/", 1)[0])


def digest(parts: Iterable[str]) -> str:
    """A data version: the same parts in the same order give the same sixteen hex digits."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _record(drop: Mapping[str, Any]) -> dg.TableRecord:
    return dg.TableRecord(
        {
            "drop": drop["id"],
            "file": drop["key"],
            "state": drop["state"],
            **{name: drop[name] for name in _COUNTS},
            "bytes": drop["size"],
            "version": drop["version"],
            "sha256": drop["sha256"] or "",
            "found": ", ".join(f"{name} {value}" for name, value in drop["format"].items()),
            "message": drop["message"] or "",
        }
    )
