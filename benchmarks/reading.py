"""Which reader reads most real files right: ours next to pandas, polars, pyarrow and DuckDB with their defaults.

    uv run benchmarks/reading.py ../shared/data/nasty_csv_pollock_survey ../shared/data/nasty_csv_testdata

A corpus is a folder with `csv/` and what the files hold: `clean/<name>` as plain CSV (Pollock), or `json/<stem>.json`
(csv-test-data, where `bad-*` must be refused); a polluted file without a clean one is held against `csv/source.csv`.
The other readers guess the columns. Ours is given a contract that names them and says which have a
value in every row, as it always is: that is the difference.

A column is right if it has its name and all its values: blanks at the ends do not count, nor do the types a reader
chose (`1.0` is `1`, but `7` is not `007`), nor `NA` for none. It is refused if the file is, with an error; that is
right where the file must be refused. Ours may quarantine rows, each with a reason; the file is then right if all
other rows are, and it is counted in a column of its own. Whatever else a reader gives is silently wrong.
"""

import csv
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import zip_longest
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Annotated, Any

import pandera.polars as pa
import typer
from rich.console import Console
from rich.table import Table

from lastmile.contracts import Contract, Format, Partition, column
from lastmile.contracts.headers import distinguished
from lastmile.contracts.names import normal_name

#: Seconds a reader may take for one file.
PATIENCE = 30
#: What a first field is called that the header has no name for.
ROW_NAMES = "row_names"
#: Slips of a corpus: what its truth of a file has, and what stands in the file.
ERRATA = {"O18_air.csv": ("0.\\", "0.0")}
#: C1 control characters, which no text has, as the cp1252 that they were before they were converted.
CONTROLS = {code: bytes([code]).decode("cp1252", "ignore") or chr(code) for code in range(0x80, 0xA0)}
MISSING = {"", "na", "n/a", "nan", "null", "none", "<na>"}
Row = Sequence[Any]


@dataclass(frozen=True)
class Truth:
    """What a file holds. `header` is empty where it has none; `rows` is None where it must be refused."""

    file: Path
    header: list[str]
    rows: list[list[str]] | None

    @property
    def columns(self) -> int:
        return len(self.header) or (len(self.rows[0]) if self.rows else 1)


@dataclass(frozen=True)
class Given:
    """What a reader gave, or the error it raised; `quarantined` is how many records it quarantined with a reason."""

    header: list[str]
    rows: list[Row]
    quarantined: int = 0
    error: str | None = None


def truths(corpus: Path) -> Iterator[Truth]:
    for file in sorted((corpus / "csv").iterdir()):
        clean, stated = corpus / "clean" / file.name, corpus / "json" / f"{file.stem}.json"
        source = corpus / "csv" / "source.csv"
        if clean.exists():
            known = corpus / "parameters" / f"{file.name}_parameters.json"
            yield _cleaned(file, clean, known.exists() and json.loads(known.read_text())["header_lines"] in (0, "0"))
        elif file.name.startswith("bad-"):
            header = ["foo", "bar", "baz"] if "header" in file.name else []
            yield Truth(file, header, None)
        elif stated.exists():
            yield _stated(file, json.loads(stated.read_text()))
        elif source.exists() and "multitable" not in file.name:
            yield _cleaned(file, source, headerless=False)


def _cleaned(file: Path, clean: Path, headerless: bool) -> Truth:
    with clean.open(newline="", encoding="utf-8") as lines:
        header, *rows = [row for row in csv.reader(lines) if row] or [[]]
    wrong, right = ERRATA.get(file.name, ("", ""))
    rows = [[right if cell.strip() == wrong else cell for cell in row] for row in rows]
    if {len(row) for row in rows} == {len(header) + 1} and any(row[-1].strip() for row in rows):
        header = [ROW_NAMES, *header]
    return Truth(file, [] if headerless else [name.strip().translate(CONTROLS) for name in header], rows)


def _stated(file: Path, content: list[Any]) -> Truth:
    if file.name.startswith("header-"):
        header = list(content[0]) if content else ["foo", "bar", "baz"]
        return Truth(file, header, [list(record.values()) for record in content])
    return Truth(file, [], [row for row in content if any(row) or len(row) > 1])


def read_pandas(truth: Truth) -> Given:
    import pandas as pd

    frame = pd.read_csv(truth.file)
    return Given(list(map(str, frame.columns)), list(frame.itertuples(index=False, name=None)))


def read_polars(truth: Truth) -> Given:
    import polars as pl

    frame = pl.read_csv(truth.file)
    return Given(frame.columns, list(frame.rows()))


def read_pyarrow(truth: Truth) -> Given:
    from pyarrow import csv as arrow_csv

    table = arrow_csv.read_csv(truth.file)
    columns = [column.to_pylist() for column in table.columns]
    return Given(table.column_names, list(zip(*columns, strict=True)))


def read_duckdb(truth: Truth) -> Given:
    import duckdb

    relation = duckdb.read_csv(str(truth.file))
    return Given(relation.columns, relation.fetchall())


def read_ours(truth: Truth) -> Given:
    from lastmile.contracts.casts import NumberFormat
    from lastmile.ingestion.readers import open_drop
    from lastmile.ingestion.validation import Plan

    contract = declared(truth)
    reader = open_drop(truth.file, truth.file.name, contract)
    if not reader.header:
        return Given([], [])
    plan = Plan(contract, reader.header, NumberFormat.of(reader.format))
    rows: list[Row] = []
    quarantined = 0
    for batch in reader.batches():
        validated = plan.validate(batch)
        rows += validated.valid.select(*contract.columns).rows()
        quarantined += validated.bad.height
    return Given(truth.header or list(contract.columns), rows, quarantined)


READERS: dict[str, Callable[[Truth], Given]] = {
    "lastmile": read_ours,
    "pandas": read_pandas,
    "polars": read_polars,
    "pyarrow": read_pyarrow,
    "DuckDB": read_duckdb,
}


def declared(truth: Truth) -> Contract:
    """The contract of whoever knows the data: every column by its name, told apart where it is empty or repeated, and
    required where it always has a value."""
    names = distinguished(truth.header) or [f"column {number}" for number in range(truth.columns)]
    always = map(all, zip(*truth.rows, strict=False)) if truth.rows else ()
    columns = {
        f"c{place}": column(str, "As found.", required=bool(has_all), aliases=(name,))
        for place, (name, has_all) in enumerate(zip_longest(names, always))
        if name
    }
    return Contract(
        name="file",
        schema=pa.DataFrameSchema(columns),
        description="A file.",
        owner="owner@example.org",
        partition=Partition("year", start=date(2020, 1, 1)),
        format=Format(headerless=not truth.header),
    )


def is_same(given: Any, true: str) -> bool:
    if isinstance(given, str) and given.strip().translate(CONTROLS) == true.strip().translate(CONTROLS):
        return True
    if given is None or (isinstance(given, float) and math.isnan(given)) or str(given).strip().lower() in MISSING:
        return true.strip().lower() in MISSING
    if isinstance(given, date):
        numbers = {int(number) for number in re.findall(r"\d+", true)}
        return {given.day, given.month} <= numbers and bool({given.year, given.year % 100} & numbers)
    if isinstance(given, bool):
        return str(given).lower() == true.strip().lower()
    try:
        return float(given) == float(true) and not re.match(r"[+-]?0\d", true.strip())
    except (TypeError, ValueError):
        return str(given).strip() == true.strip()


def is_named(given: str, true: str, truth: Truth) -> bool:
    return not truth.header or truth.header.count(true) > 1 or not true or normal_name(given) == normal_name(true)


def judge(given: Given, truth: Truth) -> Counter[str]:
    """How many columns are what: right, right except for quarantined rows, silently wrong, refused, crashed."""
    if truth.rows is None:
        return Counter({"silently wrong" if given.rows else "right": truth.columns})
    if given.error is not None:
        return Counter({given.error: truth.columns})
    if given.quarantined:
        is_right = _are_all_but(given, truth)
        return Counter({"rows quarantined" if is_right else "silently wrong": truth.columns})
    if len(given.rows) != len(truth.rows) or (truth.rows and len(given.header) != truth.columns):
        return Counter({"silently wrong": truth.columns})
    columns = zip_longest(*given.rows, fillvalue=None)
    values = [
        all(map(is_same, column, true)) for column, true in zip(columns, zip(*truth.rows, strict=False), strict=False)
    ]
    values = values or [True] * truth.columns
    names = zip_longest(given.header, truth.header or given.header, fillvalue="")
    verdicts = [is_right and is_named(*pair, truth) for is_right, pair in zip(values, names, strict=False)]
    return Counter("right" if is_right else "silently wrong" for is_right in verdicts)


def _are_all_but(given: Given, truth: Truth) -> bool:
    """Whether the rows are the true ones in order, and no more are missing than were quarantined."""
    left = iter(given.rows)
    row, missing = next(left, None), 0
    for true in truth.rows or []:
        if row is not None and len(row) == truth.columns and all(map(is_same, row, true)):
            row = next(left, None)
        else:
            missing += 1
    return row is None and missing <= given.quarantined


def serve(reader: str, pipe: Connection) -> None:
    """Reads files for the process at the other end, until it is stopped; it may crash or hang."""
    while (truth := pipe.recv()) is not None:
        try:
            given = READERS[reader](truth)
        except Exception:
            given = Given([], [], error="refused")
        pipe.send(judge(given, truth))
    peak = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    pipe.send(int(peak[1]) // 1024 if peak else 0)


class Child:
    """A reader in a process of its own, started again where it died or hung."""

    def __init__(self, reader: str) -> None:
        self._reader = reader
        self._start()

    def _start(self) -> None:
        context = get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(self._reader, theirs), daemon=True)
        self._process.start()
        theirs.close()

    def ask(self, truth: Truth | None) -> Any:
        """The verdict on a file; for None, the most MiB it took. None where it died or took too long."""
        self._pipe.send(truth)
        try:
            if self._pipe.poll(PATIENCE):
                return self._pipe.recv()
        except EOFError:
            pass
        self._process.kill()
        self._start()
        return None


VERDICTS = ("right", "rows quarantined", "silently wrong", "refused", "crashed")


def score(corpus: Path, verbose: Console | None) -> Table:
    files = list(truths(corpus))
    table = Table(
        "reader",
        *(f"{verdict}: files" for verdict in VERDICTS),
        *(f"{verdict}: columns" for verdict in VERDICTS),
        "peak MiB",
        title=f"{corpus.name}: {len(files)} files, {sum(truth.columns for truth in files):,} columns",
    )
    for reader in READERS:
        child = Child(reader)
        by_file: Counter[str] = Counter()
        by_column: Counter[str] = Counter()
        for truth in files:
            answer = child.ask(truth)
            found = Counter(crashed=truth.columns) if answer is None else answer
            worst = next(verdict for verdict in reversed(VERDICTS) if found[verdict] or verdict == "right")
            worst = "silently wrong" if found["silently wrong"] else worst
            by_file[worst] += 1
            by_column += found
            if verbose and (reader == "lastmile" or worst == "crashed") and worst != "right":
                verbose.print(f"{reader}: {worst}: {truth.file.name}")
        counts = [f"{count[verdict]:,}" for count in (by_file, by_column) for verdict in VERDICTS]
        table.add_row(reader, *counts, str(child.ask(None) or "?"))
    return table


def main(
    corpora: Annotated[list[Path], typer.Argument(help="Folders, each with csv/ and clean/ or json/.")],
    verbose: Annotated[bool, typer.Option(help="Name the files that ours does not read wholly right.")] = False,
) -> None:
    """Reads every file of the corpora with every reader and prints what each got right, and wrong in silence.

    Example: benchmarks/reading.py ../shared/data/nasty_csv_pollock_survey
    """
    console = Console(width=max(170, Console().width))
    for corpus in corpora:
        if not (corpus / "csv").is_dir():
            console.print(f"{corpus}: left out, there is no folder csv in it")
            continue
        console.print(score(corpus, console if verbose else None))


if __name__ == "__main__":
    typer.run(main)
