"""Exports: the target has what the source has, whatever changed, however often and wherever it was killed."""

import io
import json
from collections.abc import Iterator

import hypothesis
import polars as pl
import psycopg
import pytest
from databases import own_database
from hypothesis import strategies as st

from lastmile.errors import UserError
from lastmile.operations.exports import Export, Schedule
from lastmile.operations.exports.exporting import Installation, carry_out
from lastmile.operations.exports.history import newest, times
from lastmile.settings.exports import ExportSettings
from lastmile.settings.group import load

EXPORT = Export("visits", "Visits by year.", "team:a", "marts.visits", window="year")
TABLE = Export("visits", "Visits by year.", "team:a", "marts.visits", window="year", to="other", format="table")


class Here:
    """A warehouse with a mart of visits, a store, and another database."""

    def __init__(self, connection, settings, store, other):
        self.connection, self.store, self.other = connection, store, other
        targets = (f"other={other}", f"lake={store.url}/lake")
        self.installation = Installation(settings, ExportSettings(targets), store, frozenset({"person"}))
        connection.execute("CREATE SCHEMA IF NOT EXISTS marts")
        connection.execute(
            "CREATE TABLE marts.visits (year int, visit text, person text, amount numeric, at timestamptz)"
        )

    def add(self, year, visit, amount=1.5):
        row = (year, visit, f"person of {visit}", amount)
        self.connection.execute("INSERT INTO marts.visits VALUES (%s, %s, %s, %s, '2024-05-01 10:00Z')", row)

    def export(self, export=EXPORT):
        return carry_out(self.connection, export, self.installation)

    def files(self, folder="exports/visits/"):
        found = {one.key.removeprefix(folder): self.store.read(one.key) for one in self.store.list(folder)}
        return {name: body for name, body in found.items() if name != "manifest.json"}

    def parquet(self):
        return sorted(visit for body in self.files().values() for visit in pl.read_parquet(io.BytesIO(body))["visit"])

    def there(self, columns="visit"):
        with psycopg.connect(self.other) as connection:
            return sorted(connection.execute(f"SELECT {columns} FROM lastmile.visits".encode()).fetchall())


@pytest.fixture(scope="module")
def other(postgres: str) -> Iterator[str]:
    with own_database(postgres) as url:
        yield url


@pytest.fixture
def here(database_url, settings, store, other) -> Iterator[Here]:
    with psycopg.connect(other, autocommit=True) as target:
        target.execute("DROP SCHEMA IF EXISTS lastmile CASCADE")
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield Here(connection, settings, store, other)


def test_files_have_the_rows_of_their_window_without_what_is_personal(here):
    for year, visit in ((2020, "a"), (2020, "b"), (2021, "c"), (None, "d")):
        here.add(year, visit)
    done = here.export()
    found = {name: pl.read_parquet(io.BytesIO(body)) for name, body in here.files().items()}
    assert found.keys() == {"2020.parquet", "2021.parquet", "unknown.parquet"}
    assert found["2020.parquet"]["visit"].to_list() == ["a", "b"]
    assert found["2020.parquet"].columns == ["year", "visit", "amount", "at"]
    assert (done.rows, done.rows_at_target, sorted(done.replaced)) == (4, 4, ["2020", "2021", "unknown"])
    manifest = json.loads(here.store.read("exports/visits/manifest.json"))
    assert manifest["windows"]["2020"]["rows"] == 2
    assert manifest["windows"]["2020"]["bytes"] == len(here.files()["2020.parquet"])


@pytest.mark.parametrize("export", [EXPORT, TABLE], ids=["files", "table"])
def test_only_windows_whose_rows_changed_are_sent_late_changed_and_removed_ones(here, export):
    for year, visit in ((2019, "x"), (2020, "a"), (2021, "b"), (2022, "c")):
        here.add(year, visit)
    here.export(export)
    assert here.export(export).replaced == ()
    here.add(2019, "late")
    here.connection.execute("UPDATE marts.visits SET visit = 'corrected' WHERE visit = 'a'")
    here.connection.execute("DELETE FROM marts.visits WHERE year = 2022")
    done = here.export(export)
    assert (done.replaced, done.removed, done.unchanged, done.rows) == (("2019", "2020"), ("2022",), 1, 3)
    left = here.parquet() if export is EXPORT else [visit for (visit,) in here.there()]
    assert left == ["b", "corrected", "late", "x"]


def test_a_table_is_the_same_in_types_and_values_and_gets_a_new_column(here):
    here.add(2020, "a\tb\\\n'", amount="0.1000000000000000055")
    here.add(2020, "é, ü", amount=None)
    here.export(TABLE)
    source = here.connection.execute("SELECT year, visit, amount, at FROM marts.visits").fetchall()
    assert here.there("year, visit, amount, at") == sorted(source)
    here.connection.execute("ALTER TABLE marts.visits ADD team text DEFAULT 'north'")
    assert here.export(TABLE).replaced == ("2020",)
    assert {team for (team,) in here.there("team")} == {"north"}


@pytest.mark.parametrize("export", [EXPORT, TABLE], ids=["files", "table"])
@pytest.mark.parametrize("at", [0, 1, 2])
def test_an_export_killed_midway_and_run_again_gives_the_same(here, export, at, monkeypatch):
    from lastmile.operations.exports import files, table

    for year in (2020, 2021, 2022):
        here.add(year, f"v{year}")
    here.export(export)
    here.connection.execute("UPDATE marts.visits SET visit = visit || ' again'")
    kind, done = (files.Files, []) if export is EXPORT else (table.Table, [])
    replace = kind.replace

    def dies(self, *arguments):
        if len(done) == at:
            raise KeyboardInterrupt
        done.append(replace(self, *arguments))
        return done[-1]

    monkeypatch.setattr(kind, "replace", dies)
    with pytest.raises(KeyboardInterrupt):
        here.export(export)
    monkeypatch.undo()
    if export is TABLE:
        assert [visit for (visit,) in here.there()] == ["v2020", "v2021", "v2022"]  # all or nothing
    assert len(here.export(export).replaced) == (3 - at if export is EXPORT else 3)
    again = ["v2020 again", "v2021 again", "v2022 again"]
    assert (here.parquet() if export is EXPORT else [visit for (visit,) in here.there()]) == again
    assert here.export(export).replaced == ()


def test_a_file_that_was_written_before_its_manifest_is_written_again_to_the_same_bytes(here, monkeypatch):
    from lastmile.operations.exports.files import Files

    here.add(2020, "a")
    monkeypatch.setattr(Files, "_write_manifest", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        here.export()
    before = here.files()
    monkeypatch.undo()
    assert here.export().replaced == ("2020",)
    assert here.files() == before


def test_months_of_a_moment_are_windows_too_and_csv_is_a_format(here):
    here.add(2020, "a")
    here.connection.execute("INSERT INTO marts.visits VALUES (2020, 'b', 'p', 2, '2024-06-01 10:00Z')")
    monthly = Export("visits", "", "team:a", "marts.visits", window="at", by="month", format="csv", to="lake")
    assert here.export(monthly).replaced == ("2024-05", "2024-06")
    body = here.files("lake/visits/")["2024-06.csv"].decode().splitlines()
    assert body[0] == "year,visit,amount,at"
    assert body[1].startswith("2020,b,2,2024-06-01")


def test_what_is_personal_goes_out_only_where_it_is_named(here):
    here.add(2020, "a")
    with pytest.raises(UserError, match="person is personal; name it in `personal`"):
        here.export(Export("visits", "", "team:a", "marts.visits", columns=("visit", "person")))
    named = Export("visits", "", "team:a", "marts.visits", personal=("person",))
    here.export(named)
    assert pl.read_parquet(io.BytesIO(here.files()["all.parquet"]))["person"].to_list() == ["person of a"]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"source": "marts.none"}, "there is no marts.none yet"),
        ({"window": "years"}, "its window years is not among the columns"),
        ({"window": "visit", "by": "year"}, "`by` is for dates and timestamps, which visit is not"),
        ({"columns": ("visit", "vist")}, "marts.visits has no column vist"),
        ({"to": "nowhere"}, "there is no export target 'nowhere': LASTMILE_EXPORT_TARGETS names lake, other"),
        ({"to": "other"}, "target other is a database; give the export format='table'"),
        ({"to": "lake", "format": "table"}, "a table is exported to a postgresql:// target; lake is none"),
    ],
)
def test_what_cannot_be_exported_says_what_to_do(here, change, what):
    here.add(2020, "a")
    declared = {"name": "visits", "description": "", "owner": "team:a", "source": "marts.visits", **change}
    with pytest.raises(UserError, match=what):
        here.export(Export(**declared))


def test_two_at_the_same_export_are_refused_and_a_dead_one_blocks_nothing(here, database_url):
    here.add(2020, "a")
    other = psycopg.connect(database_url, autocommit=True)
    other.execute("SELECT pg_advisory_lock(hashtextextended('visits', 22))")
    with pytest.raises(UserError, match="export visits is under way"):
        here.export()
    here.connection.execute("SELECT pg_terminate_backend(%s, 10000)", [other.info.backend_pid])
    assert here.export().rows == 1


def test_each_time_is_recorded_with_what_was_sent(here):
    here.add(2020, "a")
    first, second = here.export(), here.export()
    recorded = times(here.connection, "visits", 10)
    assert [(row["rows"], row["unchanged"], row["replaced"]) for row in recorded] == [(0, 1, []), (1, 0, ["2020"])]
    assert first.watermark == second.watermark == newest(here.connection)["visits"]["watermark"]


@hypothesis.settings(max_examples=15, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
@hypothesis.given(
    st.lists(
        st.lists(st.tuples(st.sampled_from([2019, 2020, 2021, None]), st.sampled_from("abc")), max_size=5), max_size=4
    )
)
def test_after_any_history_of_changes_the_table_has_what_the_source_has(here, states):
    for state in states:
        here.connection.execute("TRUNCATE marts.visits")
        for year, visit in state:
            here.add(year, visit)
        here.export(TABLE)
        assert here.there() == sorted((visit,) for _, visit in state)


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("secret", "expected name=url"),
        ("secret=ftp://host/x", "each url one of s3"),
        ("a b=s3://secret", "expected name"),
    ],
)
def test_targets_that_cannot_be_are_refused_without_showing_them(value, what):
    with pytest.raises(UserError, match=what) as refused:
        load(ExportSettings, {"LASTMILE_EXPORT_TARGETS": value})
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("arguments", "what"),
    [(("0 4 * *",), "expected five fields"), (("0 4 * * *", "Mars/Base"), "time zone 'Mars/Base'")],
)
def test_a_schedule_that_cannot_be_is_refused(arguments, what):
    with pytest.raises(ValueError, match=what):
        Schedule(*arguments)
