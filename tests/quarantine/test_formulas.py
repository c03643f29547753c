"""What a spreadsheet would run as a formula is inert in an exported CSV, and comes back as it was."""

import csv

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastmile.ingestion.correction import correct
from lastmile.quarantine.corrections import Correction, read_corrections
from lastmile.quarantine.export import export_rows
from lastmile.quarantine.formulas import inert, original
from lastmile.quarantine.query import Selection

FORMULAS = ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", " =1", "'=1", "\n@x", "\uff1d1", "=", "-"]
PLAIN = ["-5", "+254712345678", "-1.5e3", "1=1", "a", "'a", "", "5-3", "'", "-,5"]


def exported(text):
    return inert(pl.DataFrame({"x": [text]})).item()


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_gets_an_apostrophe(text):
    assert exported(text) == f"'{text}"


@pytest.mark.parametrize("text", PLAIN)
def test_other_texts_and_numbers_stay(text):
    assert exported(text) == text


@given(st.text(alphabet="'=+-@\t\r\n 5a.", max_size=6) | st.text())
def test_every_text_comes_back_as_it_was(text):
    assert original(exported(text)) == text


def test_a_row_exported_and_read_back_unchanged_is_no_correction(site, tmp_path):
    rows = ["=v1,60,2,1,done", "-7,60,2,1,done", "'@v3,60,2,1,done", "+v4,3,2,1,done"]
    site.under(max_bad_share=1.0).arrive("a.csv", *rows)
    export_rows(site.connection, Selection(store=site.store.url), tmp_path / "bad.csv")
    with (tmp_path / "bad.csv").open(newline="") as file:
        raw = [row["raw"] for row in csv.DictReader(file)]
    assert raw == ["'=v1,60,2,1,done", "'-7,60,2,1,done", "''@v3,60,2,1,done"]
    read = read_corrections(tmp_path / "bad.csv")
    assert [one.raw for one in read] == rows[:3]
    contracts = {"visits": site.contract}
    assert correct(site.connection, site.store, contracts, read, "amina", "as it was").lines == {}
    changed = Correction(1, 2, raw="=v1,6,2,1,done")
    assert correct(site.connection, site.store, contracts, [changed], "amina", "called them").lines == {1: [2]}
    site.take()
    assert site.visits() == ["+v4", "=v1"]
