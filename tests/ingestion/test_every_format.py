"""The same table loads the same rows whatever it is written as, or what its format loses is named."""

import gzip
import io
from datetime import UTC, date, datetime

import polars as pl
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from workbooks import workbook

from lastmile.contracts import column

COLUMNS = {
    "visit": column(str, "Number of the visit.", required=True),
    "persons": column(int, "Persons met."),
    "hours": column(float, "Time spent."),
    "outcome": column(str, "How it ended."),
    "day": column(date, "Day."),
    "at": column(datetime, "Beginning."),
    "met": column(bool, "Whether anyone was there."),
}
TYPES = {
    "visit": pl.String, "persons": pl.Int64, "hours": pl.Float64, "outcome": pl.String, "day": pl.Date,
    "at": pl.Datetime("us"), "met": pl.Boolean,
}  # fmt: skip
FIRST = date(1900, 3, 1)

texts = st.text(st.characters(exclude_categories=["C", "Z"]) | st.sampled_from(" ,;\"'\n"), min_size=1, max_size=8)
words = texts.filter(str.strip) | st.sampled_from(["007", "254712345678901234", "=1+1", "-5", "NA", "1e5", "é"])
moments = st.datetimes(datetime(1900, 3, 1), datetime(9999, 12, 31)).map(lambda at: at.replace(microsecond=0))  # noqa: DTZ001
midnights = st.dates(FIRST).map(lambda day: datetime(day.year, day.month, day.day))  # noqa: DTZ001
values = st.tuples(
    st.none() | st.integers(-(2**63), 2**63 - 1) | st.integers(0, 10**6),
    st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(0, 10**9).map(float),
    st.none() | words,
    st.none() | st.dates(FIRST),
    st.none() | moments | midnights,
    st.none() | st.booleans(),
)
tables = st.dictionaries(words, values, min_size=1, max_size=4)


def as_text(frame):
    return frame.with_columns(pl.col("at").dt.to_string("%Y-%m-%dT%H:%M:%S"))


def written(write):
    out = io.BytesIO()
    write(out)
    return out.getvalue()


WRITERS = {
    "2015/a.csv": lambda frame: written(as_text(frame).write_csv),
    "2016/a.csv.gz": lambda frame: gzip.compress(written(as_text(frame).write_csv)),
    "2017/a.xlsx": lambda frame: workbook({"V": [frame.columns, *frame.rows()]}),
    "2018/a.json": lambda frame: written(as_text(frame).write_json),
    "2019/a.jsonl": lambda frame: written(as_text(frame).write_ndjson),
    "2020/a.parquet": lambda frame: written(frame.write_parquet),
}


@given(tables)
@settings(
    max_examples=15, phases=[Phase.generate], derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
def test_a_table_loads_the_same_rows_from_every_format(site, table):
    site.under(columns=COLUMNS, checks=[], max_bad_share=1.0)
    rows = [(visit, *found) for visit, found in table.items()]
    frame = pl.DataFrame(rows, schema=TYPES, orient="row")
    for name, write in WRITERS.items():
        year, file = name.split("/")
        site.put(file, write(frame), year)
    site.discover()
    site.take(partitions=[name[:4] for name in WRITERS])
    for name in WRITERS:
        lossy = {row[0] for row in rows if name.endswith("xlsx") and abs(row[1] or 0) >= 10**15}
        assert loaded(site, name) == sorted(map(expected, (row for row in rows if row[0] not in lossy)), key=str)
        assert quarantined(site, name) == [("persons", "digits")] * len(lossy)


def expected(row):
    at = row[5].replace(tzinfo=UTC) if row[5] else None
    return (*row[:5], at, row[6])


def current(name):
    year, file = name.split("/")
    return f"SELECT id FROM ledger.drops WHERE key = 'landing/visits/{year}/{file}' AND state = 'loaded'"


def loaded(site, name):
    found = site.query(f"SELECT {', '.join(COLUMNS)} FROM raw.visits WHERE _drop_id IN ({current(name)})")
    return sorted((tuple(row.values()) for row in found), key=str)


def quarantined(site, name):
    """Column and rule of the last reason of each row; its text may break a type first."""
    found = site.query(f"SELECT reasons FROM quarantine.rows WHERE drop_id IN ({current(name)})")
    return [(row["reasons"][-1]["column"], row["reasons"][-1]["rule"]) for row in found]
