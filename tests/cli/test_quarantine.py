"""`lastmile quarantine`: what was set aside is listed, written to files, taken again or given up."""

import json
import threading
import time

import polars as pl
import psycopg
import pytest
from typer.testing import CliRunner
from visits import Site

from lastmile.cli.app import app
from lastmile.cli.quarantine.selection import parsed
from lastmile.contracts import integer
from lastmile.embedded.home_lock import exclusive
from lastmile.errors import UserError
from lastmile.warehouse.tables import ensure_table

ROWS = ["v1,3,2,1,done", "v2,60,2,1,done", "v3,70,2,1,done", "v4,3,2,1,gone", "v5,3,2,1,done", "v6,3,2,1,absent"]


@pytest.fixture
def site(settings, store, database_url):
    """Drop 1 is loaded but for three rows, of drop 2 nothing is."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        here = Site(store, connection, database_url)
        ensure_table(connection, here.contract)
        here.put_rows("a.csv", *ROWS)
        here.put_rows("b.csv", "w1,60,2,1,done", "w2,3,2,1,done", "w3,60,2,1,done", year="2021")
        here.discover()
        here.take()
        yield here


def run(*arguments):
    return CliRunner().invoke(app, ["quarantine", *arguments], env={"COLUMNS": "160"})


def said(*arguments):
    result = run(*arguments)
    assert result.exit_code == 0, result.output or result.exception
    return result.stdout


def mistake(*arguments):
    result = run(*arguments)
    assert isinstance(result.exception, UserError), result.output
    return str(result.exception)


def mend(site):
    site.under(columns={**site.contract.columns, "persons": integer("Persons met.", at_least=0, at_most=100)})


@pytest.mark.parametrize("command", ["list", "show", "export", "release", "discard"])
def test_every_help_has_an_example(command):
    assert f"lastmile quarantine {command}" in said(command, "--help")


def test_the_list_counts_rows_by_rule_and_names_drops_set_aside_whole(site):
    told = json.loads(said("list", "--json"))
    assert (told["rows"], told["whole_drops"]) == (5, 1)
    rules = [(found["partition"], found["column"], found["rule"], found["rows"]) for found in told["rules"]]
    assert rules == [
        ("2020", "persons", "at_most", 2),
        ("2020", "outcome", "allowed", 1),
        ("2021", "persons", "at_most", 2),
    ]
    assert [(drop["partition"], drop["state"]) for drop in told["drops"]] == [("2021", "quarantined")]
    assert "2 of 3 rows (67%) broke the contract" in said("list", "--dataset", "visits")


def test_nothing_set_aside_is_said_so(site):
    said("discard", "--dataset", "visits", "--why", "trial", "--yes")
    assert said("list") == said("show") == "nothing is set aside\n"


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_rows_are_exported_with_where_they_were_and_why(site, tmp_path, suffix):
    file = tmp_path / f"rows.{suffix}"
    assert "3 rows written" in said("export", "--partition", "2020", "--to", str(file))
    read = {"csv": pl.read_csv, "jsonl": pl.read_ndjson, "parquet": pl.read_parquet}[suffix]
    rows = read(file).to_dicts()
    assert [(row["line"], row["raw"], row["kind"], row["key"]) for row in rows] == [
        (3, "v2,60,2,1,done", "bad", "landing/visits/2020/a.csv"),
        (4, "v3,70,2,1,done", "bad", "landing/visits/2020/a.csv"),
        (5, "v4,3,2,1,gone", "bad", "landing/visits/2020/a.csv"),
    ]
    assert "persons: expected at most 50; found '60'" in str(rows[0]["reasons"])
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [file.name]


def test_an_export_of_many_pages_has_every_row_once(site, tmp_path):
    site.query(
        "INSERT INTO quarantine.rows (drop_id, dataset, partition, line, kind, raw, reasons)"
        " SELECT drop_id, dataset, partition, line + 10 * number, kind, raw, reasons FROM quarantine.rows,"
        " generate_series(1, 4000) number WHERE partition = '2020' RETURNING line"
    )
    said("export", "--partition", "2020", "--to", str(tmp_path / "rows.parquet"))
    lines = pl.read_parquet(tmp_path / "rows.parquet")["line"]
    assert (lines.len(), lines.n_unique(), lines.is_sorted()) == (12_003, 12_003, True)


def test_drops_set_aside_whole_are_copied_as_they_came_and_one_that_is_gone_is_named(site, tmp_path):
    site.put("c.parquet", b"PAR1 no parquet PAR1", year="2019")
    site.put_rows("d.csv", "w1,60,2,1,done", year="2019")
    site.discover()
    site.take()
    site.store.delete("landing/visits/2019/d.csv")
    told = said("export", "--drops", str(tmp_path / "copies"))
    copies = {path.name.split("-", 2)[2]: path.read_bytes() for path in (tmp_path / "copies").iterdir()}
    assert set(copies) == {"b.csv", "c.parquet"}
    assert copies["b.csv"] == site.store.read("landing/visits/2021/b.csv")
    assert "2 drops copied" in told
    assert "landing/visits/2019/d.csv" in told


def test_released_rows_are_asked_for_and_taken_by_the_next_run(site):
    mend(site)
    assert "asked for: 1 row of 1 drop" in said("release", "--drop", "1", "--lines", "3", "--yes", "--no-wait")
    site.take()
    assert site.visits() == ["v1", "v2", "v5", "v6"]
    told = said("release", "--drop", "1", "--lines", "3", "--yes")
    assert "nothing of that is set aside" in told
    assert "read 6, loaded 4, quarantined 2, duplicate 0" in told


def test_rows_and_whole_drops_are_released_by_the_column_they_broke(site):
    mend(site)
    told = said("release", "--column", "persons", "--yes", "--no-wait")
    assert "2 rows of 1 drop and 1 drop set aside whole" in told
    site.take()
    assert site.visits() == ["v1", "v2", "v3", "v5", "v6", "w1", "w2", "w3"]


def test_a_release_waits_for_the_running_platform_and_tells_what_came_of_it(site, settings):
    mend(site)

    def platform():
        time.sleep(0.3)
        with psycopg.connect(site.database_url, autocommit=True) as connection:
            Site(site.store, connection, site.database_url, contract=site.contract).take()

    with exclusive(settings):
        run_of_the_platform = threading.Thread(target=platform)
        run_of_the_platform.start()
        told = said("release", "--drop", "1", "--yes")
        run_of_the_platform.join()
    assert f"released 2 of 3 rows under contract {site.contract.version}; 1 are still quarantined" in " ".join(
        told.split()
    )


def test_lines_of_a_drop_set_aside_whole_cannot_be_released_alone(site):
    number = str(site.drops()[1]["id"])
    assert "was set aside whole" in mistake("release", "--drop", number, "--lines", "2", "--yes")


def test_discarded_rows_and_drops_are_shown_no_more(site):
    said("discard", "--column", "outcome", "--partition", "2020", "--why", "trial", "--yes")
    said("discard", "--partition", "2021", "--why", "the wrong survey", "--yes")
    told = json.loads(said("list", "--json"))
    assert ([found["column"] for found in told["rules"]], told["drops"]) == (["persons"], [])
    assert "discarded: the wrong survey" in " ".join(said("list", "--discarded").split())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["release", "--yes"], "say what: --drop"),
        (["release", "--lines", "3", "--yes"], "say which with --drop"),
        (["release", "--drop", "1"], "say so with --yes"),
        (["release", "--drop", "99", "--yes"], "no drop 99"),
        (["discard", "--drop", "1", "--why", " "], "--why is empty"),
        (["discard", "--drop", "1", "--why", "trial"], "say so with --yes"),
        (["list", "--dataset", "vists"], "no drop of dataset 'vists' has come; there are drops of visits"),
        (["show", "--partition", "1999"], "no drop of partition '1999' has come"),
        (["export"], "say where to"),
        (["export", "--to", "rows.xlsx"], "expected a name that ends in .csv, .jsonl, .parquet"),
        (["export", "--to", "/no/such/folder/rows.csv"], "cannot write /no/such/folder/rows.csv"),
    ],
)
def test_a_mistake_is_told(site, arguments, told):
    assert told in mistake(*arguments)
    assert [drop["retake"] for drop in site.drops()] == [None, None]


def test_lines_are_numbers_and_ranges():
    assert parsed("3, 7,20-22,7") == (3, 7, 20, 21, 22)
    assert parsed(None) is None


@pytest.mark.parametrize("lines", ["", "a", "3-", "9-3", "1-99999999", "-1"])
def test_lines_that_are_no_numbers_are_a_mistake(lines):
    with pytest.raises(UserError, match="expected numbers and ranges such as 3,7,20-40"):
        parsed(lines)
