"""`lastmile quarantine`: what is quarantined is listed, exported, corrected, released or discarded."""

import getpass
import json
import threading
import time

import polars as pl
import psycopg
import pytest
from commands import Commands
from typer.testing import CliRunner
from visits import Site

from lastmile.cli.app import app
from lastmile.cli.quarantine.selection import parsed
from lastmile.contracts import column, loading
from lastmile.embedded.home_lock import exclusive
from lastmile.errors import UserError
from lastmile.warehouse.tables import ensure_table

COMMANDS = Commands("quarantine")
run, said, mistake = COMMANDS.run, COMMANDS.said, COMMANDS.mistake

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


@pytest.fixture
def visits_contract(site, monkeypatch):
    """The installation's contracts are those of the site."""
    monkeypatch.setattr(loading, "load_contracts", lambda assets: {"visits": site.contract})


def widen(site):
    site.under(columns={**site.contract.columns, "persons": column(int, "Persons met.", ge=0, le=100)})


@pytest.mark.parametrize("command", ["list", "show", "export", "correct", "release", "discard"])
def test_every_help_has_an_example(command):
    assert f"lastmile quarantine {command}" in said(command, "--help")


def test_the_list_counts_rows_by_rule_and_names_drops_quarantined_whole(site):
    listed = json.loads(said("list", "--json"))
    rules = [(found["partition"], found["column"], found["rule"], found["rows"]) for found in listed["rules"]]
    assert rules == [
        ("2020", "persons", "at_most", 2),
        ("2020", "outcome", "allowed", 1),
        ("2021", "persons", "at_most", 2),
    ]
    assert [(drop["partition"], drop["state"]) for drop in listed["drops"]] == [("2021", "quarantined")]
    assert "2 of 3 rows (67%) broke the contract" in said("list", "--dataset", "visits")


def test_the_list_and_the_status_count_what_is_undecided_alike(site):
    for _ in range(2):
        listed = json.loads(said("list", "--json"))
        status = json.loads(CliRunner().invoke(app, ["status", "--json"]).stdout)
        assert listed["undecided"] == status["undecided"] == status["datasets"]["visits"]["undecided"]
        said("discard", "--drop", "1", "--lines", "3,4", "--why", "trial", "--yes")
    assert listed["undecided"] == {"rows": 1, "drops": 1}


def test_an_empty_quarantine_is_reported(site):
    said("discard", "--dataset", "visits", "--why", "trial", "--yes")
    assert said("list") == said("show") == "nothing is quarantined\n"


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


def test_drops_quarantined_whole_are_copied_as_they_arrived_and_one_that_is_gone_is_named(site, tmp_path):
    site.put("c.parquet", b"PAR1 no parquet PAR1", year="2019")
    site.put_rows("d.csv", "w1,60,2,1,done", year="2019")
    site.discover()
    site.take()
    site.store.delete("landing/visits/2019/d.csv")
    output = said("export", "--drops", str(tmp_path / "copies"))
    copies = {path.name.split("-", 2)[2]: path.read_bytes() for path in (tmp_path / "copies").iterdir()}
    assert set(copies) == {"b.csv", "c.parquet"}
    assert copies["b.csv"] == site.store.read("landing/visits/2021/b.csv")
    assert "2 drops copied" in output
    assert "landing/visits/2019/d.csv" in output


def test_a_release_is_requested_and_carried_out_by_the_next_run(site):
    widen(site)
    assert "requested: 1 row of 1 drop" in said("release", "--drop", "1", "--lines", "3", "--yes", "--no-wait")
    site.take()
    assert site.visits() == ["v1", "v2", "v5", "v6"]
    output = said("release", "--drop", "1", "--lines", "3", "--yes")
    assert "nothing of that is quarantined" in output
    assert "read 6, loaded 4, quarantined 2, duplicate 0" in output


def test_rows_and_whole_drops_are_released_by_the_column_they_broke(site):
    widen(site)
    output = said("release", "--column", "persons", "--yes", "--no-wait")
    assert "2 rows of 1 drop and 1 drop quarantined whole" in output
    site.take()
    assert site.visits() == ["v1", "v2", "v3", "v5", "v6", "w1", "w2", "w3"]


def test_a_release_waits_for_the_running_platform_and_reports_its_result(site, settings):
    widen(site)

    def platform():
        time.sleep(0.3)
        with psycopg.connect(site.database_url, autocommit=True) as connection:
            Site(site.store, connection, site.database_url, contract=site.contract).take()

    with exclusive(settings):
        run_of_the_platform = threading.Thread(target=platform)
        run_of_the_platform.start()
        output = said("release", "--drop", "1", "--yes")
        run_of_the_platform.join()
    assert f"released 2 of 3 rows under contract {site.contract.version}; 1 are still quarantined" in " ".join(
        output.split()
    )


def test_an_exported_file_with_corrected_texts_corrects_its_rows(site, visits_contract, tmp_path):
    file = tmp_path / "bad.csv"
    said("export", "--partition", "2020", "--to", str(file))
    file.write_text(file.read_text().replace("v2,60,2,1,done", "v2,6,2,1,done").replace("v4,3,2,1,gone", "v4,3,2,1,x"))
    result = run("correct", str(file), "--why", "called them", "--who", "amina", "--yes", "--no-wait")
    assert (result.exit_code, "corrected: 1 of 3 rows" in result.stdout) == (1, True)
    assert "not corrected: drop 1, line 5: outcome" in result.stdout
    site.take()
    assert site.visits() == ["v1", "v2", "v5", "v6"]


def test_one_row_is_corrected_by_its_line(site, visits_contract):
    one_row = ["--drop", "1", "--line", "3", "--set", "persons=6", "--why", "called them", "--yes", "--no-wait"]
    assert "corrected: 1 of 1 rows" in said("correct", *one_row)
    site.take()
    assert site.visits() == ["v1", "v2", "v5", "v6"]
    assert [kept["who"] for kept in site.query("SELECT who FROM quarantine.corrections")] == [getpass.getuser()]


def test_lines_of_a_drop_quarantined_whole_cannot_be_released_alone(site):
    number = str(site.drops()[1]["id"])
    assert "was quarantined whole" in mistake("release", "--drop", number, "--lines", "2", "--yes")


def test_discarded_rows_and_drops_are_no_longer_listed(site):
    said("discard", "--column", "outcome", "--partition", "2020", "--why", "trial", "--yes")
    said("discard", "--partition", "2021", "--why", "the wrong survey", "--yes")
    output = json.loads(said("list", "--json"))
    assert ([found["column"] for found in output["rules"]], output["drops"]) == (["persons"], [])
    assert "discarded: the wrong survey" in " ".join(said("list", "--discarded").split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["release", "--yes"], "say what: --drop"),
        (["release", "--lines", "3", "--yes"], "say which with --drop"),
        (["release", "--drop", "1"], "say so with --yes"),
        (["release", "--drop", "99", "--yes"], "no drop 99"),
        (["discard", "--drop", "1", "--why", " "], "--why is empty"),
        (["discard", "--drop", "1", "--why", "trial"], "say so with --yes"),
        (["correct", "--why", "x", "--yes"], "say which row, and its values"),
        (["correct", "--drop", "1", "--line", "3", "--set", "persons", "--why", "x", "--yes"], "expected COLUMN=VALUE"),
        (["correct", "no.csv", "--drop", "1", "--why", "x", "--yes"], "give either a file, or --drop"),
        (["correct", "no.csv", "--why", "x", "--yes"], "cannot read no.csv"),
        (["list", "--dataset", "vists"], "no drop of dataset 'vists' has arrived; there are drops of visits"),
        (["show", "--partition", "1999"], "no drop of partition '1999' has arrived"),
        (["export"], "say where to"),
        (["export", "--to", "rows.xlsx"], "expected a name that ends in .csv, .jsonl, .parquet"),
        (["export", "--to", "/no/such/folder/rows.csv"], "cannot write /no/such/folder/rows.csv"),
    ],
)
def test_a_mistake_is_reported_and_changes_nothing(site, arguments, message):
    assert message in mistake(*arguments)
    assert [drop["retake"] for drop in site.drops()] == [None, None]


def test_lines_are_numbers_and_ranges():
    assert parsed("3, 7,20-22,7") == (3, 7, 20, 21, 22)
    assert parsed(None) is None


@pytest.mark.parametrize("lines", ["", "a", "3-", "9-3", "1-99999999", "-1"])
def test_lines_that_are_no_numbers_are_a_mistake(lines):
    with pytest.raises(UserError, match="expected numbers and ranges such as 3,7,20-40"):
        parsed(lines)
