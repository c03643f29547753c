"""Why a row was quarantined, as JSON that Postgres accepts and a person understands."""

from collections.abc import Collection, Mapping, Sequence

import polars as pl

from lastmile.ingestion.batch import BrokenRecord
from lastmile.ingestion.validation.rules import Rule, raw_name

#: Longest piece of a cell or record that a reason repeats; the whole of it is kept alongside as raw text.
SHOWN = 200
#: The number of a row among the bad ones; no column of a drop or a contract has a name with a blank in front.
ROW = " row"


def bad_rows(
    rules: Sequence[Rule], flags: pl.DataFrame, raw: pl.DataFrame, lines: pl.Series, texts: Sequence[str]
) -> pl.DataFrame:
    """Bad rows with the reasons of each. `flags` has one Boolean column per rule, `raw` the cells as they were read.

    Every row must break one rule at least. Half of a large drop may be bad, so no row is looked at by itself.
    """
    numbered = raw.lazy().with_row_index(ROW)
    given = [
        numbered.filter(broken).select(ROW, _reason(rule, raw.columns).alias("reason"))
        for rule, broken in zip(rules, flags.iter_columns(), strict=True)
        if broken.any()
    ]
    by_row = pl.concat(given).sort(ROW, maintain_order=True).group_by(ROW, maintain_order=True)
    query = by_row.agg(reasons=pl.col("reason").str.join(",")).select(reasons="[" + pl.col("reasons") + "]")
    reasons = query.collect(engine="in-memory", optimizations=pl.QueryOptFlags.none())["reasons"]
    return pl.DataFrame([lines.alias("line"), pl.Series("raw", texts, pl.String), reasons])


def broken_rows(broken: Sequence[BrokenRecord]) -> pl.DataFrame:
    """Records that never became rows, each with the one reason its reader gave."""
    columns = {name: [getattr(record, name) for record in broken] for name in ("line", "raw", "reason")}
    given = pl.DataFrame(columns, schema={"line": pl.UInt64, "raw": pl.String, "reason": pl.String})
    reason = _as_json(None, "record", _visible(pl.col("raw")), _visible(pl.col("reason")))
    return given.select("line", "raw", reasons="[" + reason + "]")


def _reason(rule: Rule, columns: Collection[str]) -> pl.Expr:
    """One reason as JSON, from the cells as they were read; a cell of a column that the file has not is none."""
    cells = {name: _cell(name, columns) for name in rule.shown}
    found, message = _of_row(rule, cells) if rule.column is None else _of_cell(rule, cells[rule.column])
    return _as_json(rule.column, rule.name, found, message + pl.lit(rule.failure))


def _as_json(column: str | None, rule: str, found: pl.Expr, message: pl.Expr) -> pl.Expr:
    named = pl.struct(column=pl.lit(column, pl.String), rule=pl.lit(rule), found=found, message=message)
    return named.struct.json_encode()


def _cell(column: str, columns: Collection[str]) -> pl.Expr:
    name = raw_name(column) if raw_name(column) in columns else column
    return (pl.col(name).cast(pl.String) if name in columns else pl.lit("")).fill_null("")


def _of_cell(rule: Rule, text: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    found = _visible(text)
    is_blank = found.str.strip_chars() == ""
    means_none = ", which stands for none" if rule.name == "required" else ""
    shown = pl.when(is_blank).then(pl.lit("none")).otherwise("'" + found + f"'{means_none}")
    return _unless_empty(found), f"{rule.column}: expected {rule.expected}; found " + shown


def _of_row(rule: Rule, cells: Mapping[str, pl.Expr]) -> tuple[pl.Expr, pl.Expr]:
    if not cells:
        return pl.lit(None, pl.String), pl.lit(rule.expected)
    named = [f"{name}=" + pl.when(text == "").then(pl.lit("none")).otherwise(text) for name, text in cells.items()]
    found = _visible(pl.concat_str(named, separator=", "))
    return found, f"{rule.expected.rstrip('.')}; found " + found


def _unless_empty(text: pl.Expr) -> pl.Expr:
    return pl.when(text != "").then(text)


def _visible(text: pl.Expr) -> pl.Expr:
    """The text cut to what is shown, with its NUL characters, which JSON in Postgres cannot hold, as a visible sign."""
    cut = pl.when(text.str.len_chars() <= SHOWN).then(text).otherwise(text.str.head(SHOWN) + "…")
    return cut.str.replace_all("\0", "␀", literal=True)
