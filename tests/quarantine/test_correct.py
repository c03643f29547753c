"""A quarantined row is corrected: validated at once, loaded with its drop's other rows, and traceable for ever."""

import json

import pytest
from workbooks import workbook

from lastmile.contracts import column
from lastmile.errors import UserError
from lastmile.ingestion.correction import StillBroken, correct
from lastmile.quarantine.corrections import Correction, read_corrections
from lastmile.quarantine.discard import discard

#: Lines 3 and 5 break the contract: more than 50 persons, and an outcome that is no code.
ROWS = ["v1,3,2,1,done", "v2,60,2,1,done", "v3,3,2,1,done", "v4,3,2,1,gone"]
COUNTS = ("rows_read", "rows_loaded", "rows_quarantined", "rows_duplicate")


def corrected(site, *corrections, who="amina", why="called them"):
    return correct(site.connection, site.store, {"visits": site.contract}, corrections, who, why)


def row(site, line, drop=0, raw=None, **cells):
    return Correction(site.drops()[drop]["id"], line, cells, raw)


def counts(site, drop=0):
    return tuple(site.drops()[drop][name] for name in COUNTS)


def quarantined_lines(site):
    return [found["line"] for found in site.aside()]


@pytest.mark.behaviour(number=29)
def test_a_corrected_row_is_loaded_with_the_drops_other_rows(site):
    site.arrive("a.csv", *ROWS)
    done = corrected(site, row(site, 3, persons="6"))
    assert (done.lines, done.refused, done.requested) == ({1: [3]}, [], [1])
    (outcome,) = site.take(run_id="run 2")
    assert (outcome.loaded, counts(site), quarantined_lines(site)) == (3, (4, 3, 1, 0), [5])
    (loaded,) = site.query("SELECT visit, persons, _drop_id, _run_id FROM raw.visits WHERE _line = 3")
    assert loaded == {"visit": "v2", "persons": 6, "_drop_id": 1, "_run_id": "run 2"}
    assert site.drops()[0]["message"] == (
        f"released 1 of 1 rows under contract {site.contract.version}, 1 of them corrected"
    )


def test_who_corrected_what_and_why_is_kept_with_the_text_as_it_arrived(site):
    site.arrive("a.csv", *ROWS)
    corrected(site, row(site, 3, persons="6"))
    site.take()
    (kept,) = site.query("SELECT line, cells, raw, who, why, at FROM quarantine.corrections")
    assert kept.pop("at") is not None
    assert kept == {"line": 3, "cells": {"persons": "6"}, "raw": "v2,60,2,1,done", "who": "amina", "why": "called them"}
    messages = [event["message"] for event in site.query("SELECT message FROM ledger.events ORDER BY id")]
    assert "corrected 1 row (line 3) by amina: called them" in messages


@pytest.mark.behaviour(number=29)
def test_re_ingesting_the_drop_applies_its_corrections_again(site):
    site.arrive("a.csv", *ROWS)
    corrected(site, row(site, 3, persons="6"), row(site, 5, outcome="absent"))
    site.take()
    for _ in range(2):
        (outcome,) = site.take(redo=True)
        assert (outcome.loaded, counts(site)) == (4, (4, 4, 0, 0))
        assert site.drops()[0]["message"] == "with 2 corrected rows"
    assert site.query("SELECT persons FROM raw.visits WHERE visit = 'v2'") == [{"persons": 6}]


def test_a_new_version_of_the_object_is_not_touched_by_corrections_of_the_old_one(site):
    site.arrive("a.csv", *ROWS)
    corrected(site, row(site, 3, persons="6"))
    site.take()
    site.arrive("a.csv", *ROWS, "v5,3,2,1,done")
    assert (counts(site, 1), site.visits()) == ((5, 3, 2, 0), ["v1", "v3", "v5"])


def test_a_row_that_still_breaks_the_contract_is_refused_with_the_reason_and_the_others_are_corrected(site):
    site.arrive("a.csv", *ROWS)
    done = corrected(site, row(site, 3, persons="70"), row(site, 5, outcome="absent"))
    assert done.refused == [StillBroken(1, 3, ["persons: expected at most 50; found '70'"])]
    assert done.lines == {1: [5]}
    site.take()
    assert (counts(site), site.visits(), quarantined_lines(site)) == ((4, 3, 1, 0), ["v1", "v3", "v4"], [3])
    assert [kept["line"] for kept in site.query("SELECT line FROM quarantine.corrections")] == [5]


def test_the_text_of_a_row_can_be_corrected_as_it_stands_in_the_file(site):
    site.arrive("a.csv", *ROWS)
    corrected(site, row(site, 3, raw="v2,6,2,1,done"), row(site, 5, raw='"v4",3,2,1,"absent"'))
    site.take()
    assert site.visits() == ["v1", "v2", "v3", "v4"]


def test_a_record_that_could_not_be_split_into_fields_becomes_a_row(site):
    site.arrive("a.csv", "v1,3,2,1,done", "v2,3", "v3,3,2,1,done", "v4,60,2,1,done")
    assert quarantined_lines(site) == [3, 5]
    corrected(site, row(site, 3, raw="v2,3,2,1,done"))
    site.take()
    assert site.query("SELECT visit, _line FROM raw.visits ORDER BY _line") == [
        {"visit": "v1", "_line": 2},
        {"visit": "v2", "_line": 3},
        {"visit": "v3", "_line": 4},
    ]
    assert [(found["line"], found["raw"]) for found in site.aside()] == [(5, "v4,60,2,1,done")]


def test_a_broken_record_keeps_its_text_while_it_still_breaks_a_rule(site):
    site.arrive("a.csv", "v1,3,2,1,done", "v2,3", "v3,3,2,1,done")
    done = corrected(site, row(site, 3, visit="v2", persons="3", outcome="gone"))
    assert [reason.split(":")[0] for reason in done.refused[0].reasons] == ["outcome"]
    corrected(site, row(site, 3, visit="v2", persons="40"))
    site.under(columns={**site.contract.columns, "persons": _at_most(30)}).take()
    assert [(found["line"], found["kind"], found["raw"]) for found in site.aside()] == [(3, "bad", "v2,3")]


def test_a_faulty_cell_is_corrected_by_a_new_text_not_by_one_for_another_cell(site):
    rows = [["visit", "persons", "outcome"], ["v1", 3, "done"], [254712345678901234, 4, b"#N/A"], ["v3", 3, "done"]]
    site.under(max_bad_share=0.9).put("a.xlsx", workbook({"V": rows}))
    site.discover()
    site.take()
    (found,) = site.aside()
    text = json.loads(found["raw"])
    done = corrected(site, row(site, 3, raw=json.dumps(text | {"outcome": "done"})))
    assert [reason.split(":")[0] for reason in done.refused[0].reasons] == ["visit"]
    corrected(site, row(site, 3, visit="254712345678901234", outcome="absent"))
    site.take()
    assert site.query("SELECT visit, persons, outcome FROM raw.visits WHERE _line = 3") == [
        {"visit": "254712345678901234", "persons": 4, "outcome": "absent"}
    ]


def test_json_records_are_corrected_by_column_or_by_text(site):
    lines = ['{"visit": "v1", "persons": 60}', '{"visit": "v2", "persons": 70}', '{"visit": "v3", "persons": 3}']
    site.under(max_bad_share=0.9).put("a.jsonl", "\n".join(lines) + "\n")
    site.discover()
    site.take()
    corrected(site, row(site, 1, persons="6"), row(site, 2, raw='{"visit": "v2", "persons": 7}'))
    site.take()
    assert site.query("SELECT visit, persons FROM raw.visits ORDER BY visit") == [
        {"visit": "v1", "persons": 6},
        {"visit": "v2", "persons": 7},
        {"visit": "v3", "persons": 3},
    ]


def test_a_column_is_named_as_in_the_contract_or_as_in_the_file(site):
    site.put("a.csv", "visit,Duration\nv1,-2\nv2,2\nv3,-3\nv4,2\n")
    site.discover()
    site.take()
    corrected(site, row(site, 2, hours="1"), row(site, 4, duration="3"))
    site.take()
    assert [found["hours"] for found in site.query("SELECT hours FROM raw.visits ORDER BY visit")] == [1, 2, 3, 2]


def test_rows_of_a_drop_quarantined_whole_are_corrected_and_let_the_rest_in(site):
    site.arrive("a.csv", "v1,60,2,1,done", "v2,70,2,1,done", "v3,3,2,1,done")
    assert site.states() == ["quarantined"]
    corrected(site, row(site, 2, persons="6"))
    site.take()
    assert (site.states(), counts(site), site.visits()) == (["loaded"], (3, 2, 1, 0), ["v1", "v3"])


def test_a_corrected_key_that_is_loaded_already_is_a_duplicate(site):
    site.arrive("a.csv", *ROWS)
    corrected(site, row(site, 3, visit="v1", persons="6"))
    site.take()
    assert (counts(site), [found["kind"] for found in site.aside()]) == ((4, 2, 1, 1), ["duplicate", "bad"])


def test_a_row_is_corrected_again_on_top_of_its_first_correction(site):
    site.arrive("a.csv", *ROWS)
    corrected(site, row(site, 3, visit="v1", persons="6"))
    site.take()
    corrected(site, row(site, 3, visit="v9"))
    site.take()
    assert site.query("SELECT visit, persons FROM raw.visits WHERE _line = 3") == [{"visit": "v9", "persons": 6}]
    assert len(site.query("SELECT FROM quarantine.corrections")) == 2


def test_the_cleaned_file_has_the_corrected_row(site):
    site.arrive("a.csv", *ROWS)
    corrected(site, row(site, 3, persons="6"))
    site.take()
    assert site.cleaned() == ["v1", "v2", "v3"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"line": 2, "persons": "6"}, r"found none on 1 row \(line 2\)"),
        ({"line": 99, "persons": "6"}, r"found none on 1 row \(line 99\)"),
        ({"line": 3, "weather": "rain"}, "the file has no column weather; it has visit, persons"),
        ({"line": 3, "raw": "v2,6"}, "expected 5 fields as in the header, found 2"),
        ({"line": 3, "persons": "6\0"}, "NUL character"),
    ],
)
def test_a_mistake_is_reported_and_nothing_is_recorded(site, given, message):
    site.arrive("a.csv", *ROWS)
    with pytest.raises(UserError, match=message):
        corrected(site, row(site, 5, outcome="absent"), row(site, **given))
    assert site.query("SELECT FROM quarantine.corrections") == []
    assert site.drops()[0]["retake"] is None


def test_a_correction_needs_a_person_and_a_reason(site):
    site.arrive("a.csv", *ROWS)
    for missing in ({"who": " "}, {"why": ""}):
        with pytest.raises(UserError, match="who made it and why"):
            corrected(site, row(site, 3, persons="6"), **missing)


def test_rows_of_an_object_that_is_gone_or_of_an_unknown_drop_cannot_be_corrected(site):
    site.arrive("a.csv", *ROWS)
    with pytest.raises(UserError, match="no drop 99"):
        corrected(site, Correction(99, 3, {"persons": "6"}))
    site.store.delete("landing/visits/2020/a.csv")
    with pytest.raises(UserError, match="its rows cannot be read again"):
        corrected(site, row(site, 3, persons="6"))


def test_a_discarded_row_is_corrected_only_after_its_release(site):
    site.arrive("a.csv", *ROWS)
    discard(site.connection, {1: [3]}, [], "trial")
    with pytest.raises(UserError, match="must be released with --discarded first"):
        corrected(site, row(site, 3, persons="6"))


def test_what_is_unchanged_is_passed_over(site):
    site.arrive("a.csv", *ROWS)
    assert corrected(site, row(site, 3, raw="v2,60,2,1,done"), row(site, 5)).lines == {}
    assert (site.take(), site.drops()[0]["retake"]) == ([], None)


def test_a_file_of_corrections_has_drop_line_and_whatever_was_changed(tmp_path):
    file = tmp_path / "bad.csv"
    file.write_text('\ufeffdrop,dataset,line,kind,raw,persons\n1,visits,3,bad,"v2,60",6\n1,visits,5,bad,v4,\n')
    assert read_corrections(file) == [Correction(1, 3, {"persons": "6"}, "v2,60"), Correction(1, 5, {}, "v4")]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("line,persons\n3,6\n", "expected the columns drop and line among others"),
        ("drop,line,persons\none,3,6\n", "line 2: expected a whole number as drop, found 'one'"),
        ("drop,line\n1,3,6\n", "line 2: expected 2 fields as in the header, found more"),
        ("", "found none"),
        ('drop,line\n1,"3\n', "expected a CSV in UTF-8"),
    ],
)
def test_a_file_that_is_none_is_a_mistake(tmp_path, body, message):
    file = tmp_path / "bad.csv"
    file.write_text(body)
    with pytest.raises(UserError, match=message):
        read_corrections(file)


def test_reasons_in_the_quarantine_are_those_of_the_corrected_values(site):
    site.arrive("a.csv", *ROWS)
    corrected(site, row(site, 3, persons="40"))
    columns = {**site.contract.columns, "persons": _at_most(30)}
    site.under(columns=columns).take()
    (found,) = [one for one in site.aside() if one["line"] == 3]
    assert (found["raw"], "found '40'" in json.dumps(found["reasons"])) == ("v2,60,2,1,done", True)


def _at_most(most):
    return column(int, "Persons met.", unit="persons", ge=0, le=most)
