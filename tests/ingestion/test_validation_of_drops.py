"""Rows and drops that break their contract are quarantined with the reason; everything else is loaded."""

import pytest

from lastmile.ingestion import worker


@pytest.mark.behaviour(number=21)
def test_a_new_column_is_rescued_and_no_value_is_lost(site):
    site.put("a.csv", "visit,persons,hours,travel_hours,outcome,Weather\nv1,3,2,1,done,rain\nv2,3,2,1,done,\n")
    site.discover()
    site.take()
    assert site.query("SELECT visit, _rescued FROM raw.visits ORDER BY visit") == [
        {"visit": "v1", "_rescued": {"Weather": "rain"}},
        {"visit": "v2", "_rescued": None},
    ]
    assert site.drops()[0]["schema_change"] == {"rescued": ["Weather"]}


@pytest.mark.behaviour(number=21)
def test_a_contract_may_add_new_columns_to_the_table(site):
    site.under(unknown_columns="add").put("a.csv", "visit,Weather at noon\nv1,rain\n")
    site.put_rows("b.csv", "v2,3,2,1,done")
    site.discover()
    site.take()
    assert site.query("SELECT visit, weather_at_noon, _rescued FROM raw.visits ORDER BY visit") == [
        {"visit": "v1", "weather_at_noon": "rain", "_rescued": None},
        {"visit": "v2", "weather_at_noon": None, "_rescued": None},
    ]


def test_a_new_column_whose_name_no_table_can_have_is_rescued_instead(site):
    site.under(unknown_columns="add").put("a.csv", "visit,2nd person,Größe\nv1,Ann,1.70\n")
    site.discover()
    site.take()
    assert site.query("SELECT visit, _rescued FROM raw.visits") == [
        {"visit": "v1", "_rescued": {"2nd person": "Ann", "Größe": "1.70"}}
    ]


@pytest.mark.behaviour(number=21)
def test_a_contract_may_refuse_new_columns(site):
    site.under(unknown_columns="refuse").put("a.csv", "visit,weather\nv1,rain\n")
    site.discover()
    (outcome,) = site.take()
    assert outcome.state == "quarantined"
    assert "weather" in site.drops()[0]["message"]


@pytest.mark.behaviour(number=22)
def test_a_value_of_the_wrong_type_quarantines_the_row_with_its_raw_text(site):
    site.arrive("a.csv", "v1,many,2,1,done", "v2,3,2,1,done")
    (row,) = site.aside()
    assert (row["line"], row["raw"], row["kind"]) == (2, "v1,many,2,1,done", "bad")
    assert [(reason["column"], reason["found"]) for reason in row["reasons"]] == [("persons", "many")]


@pytest.mark.behaviour(number=22)
def test_a_contract_may_rescue_values_of_the_wrong_type(site):
    site.under(wrong_type="rescue").arrive("a.csv", "v1,many,2,1,done")
    assert site.query("SELECT visit, persons, _rescued FROM raw.visits") == [
        {"visit": "v1", "persons": None, "_rescued": {"persons": "many"}}
    ]


@pytest.mark.behaviour(number=23)
def test_a_drop_without_a_required_column_is_refused_by_name(site):
    site.put("a.csv", "persons,hours\n3,2\n")
    site.discover()
    (outcome,) = site.take()
    assert (outcome.state, outcome.read) == ("quarantined", 0)
    assert "visit" in site.drops()[0]["message"]


@pytest.mark.behaviour(number=23)
def test_column_order_case_and_declared_aliases_do_not_matter(site):
    site.put("a.csv", "Outcome,DURATION,Visit,persons\ndone,2.5,v1,3\n")
    site.discover()
    site.take()
    assert site.query("SELECT visit, persons, hours, outcome FROM raw.visits") == [
        {"visit": "v1", "persons": 3, "hours": 2.5, "outcome": "done"}
    ]


@pytest.mark.behaviour(number=24)
def test_a_bad_row_names_drop_line_raw_text_and_every_rule_it_broke(site):
    site.arrive("a.csv", "v1,3,2,1,done", "v2,99,1,5,gone", "v3,3,2,1,done", "v4,3,2,1,done")
    (row,) = site.aside()
    assert (row["drop_id"], row["line"], row["raw"]) == (site.drops()[0]["id"], 3, "v2,99,1,5,gone")
    assert {reason["column"] for reason in row["reasons"]} >= {"persons", "outcome"}
    assert len(row["reasons"]) == 3
    assert any("travel takes part of the time only" in reason["message"] for reason in row["reasons"])


@pytest.mark.behaviour(number=25)
def test_too_many_bad_rows_quarantine_the_whole_drop(site):
    outcome = site.arrive("a.csv", "v1,3,2,1,done", "v2,bad,2,1,done", "v3,bad,2,1,done")
    assert (outcome.state, outcome.read, outcome.loaded, outcome.quarantined) == ("quarantined", 3, 0, 3)
    assert site.visits() == []
    assert "2 of 3 rows (67%) broke the contract; at most 50% may" in site.drops()[0]["message"]


@pytest.mark.behaviour(number=26)
def test_a_drop_that_cannot_be_parsed_is_retried_a_few_times_and_blocks_no_other(site, monkeypatch):
    monkeypatch.setattr(worker, "FIRST_RETRY_WAIT", worker.FIRST_RETRY_WAIT / 10)
    site.put("a.parquet", b"PAR1 this is no parquet PAR1")
    site.put_rows("b.csv", "v1,3,2,1,done")
    site.discover()
    taken = []
    site.take(report=lambda drop, outcome: taken.append((drop.key.rsplit("/")[-1], outcome.state)))
    assert taken == [("b.csv", "loaded"), ("a.parquet", "quarantined")]
    assert "attempted 3 times" in site.drops()[0]["message"]


@pytest.mark.behaviour(number=27)
@pytest.mark.parametrize("body", ["", "visit,persons,hours,travel_hours,outcome\n"])
def test_an_empty_or_header_only_drop_is_a_success_with_a_warning(site, body):
    site.put("a.csv", body)
    site.discover()
    (outcome,) = site.take()
    assert (outcome.state, outcome.read) == ("loaded", 0)
    assert "no rows" in site.drops()[0]["message"]


@pytest.mark.behaviour(number=28)
def test_every_loaded_row_says_where_it_came_from_in_which_run_and_when(site):
    site.put("a.csv", 'visit,persons\n"v\n1",3\nv2,4\n')
    site.discover()
    site.take(run_id="run 7")
    drop = site.drops()[0]
    rows = site.query(
        "SELECT visit, _drop_id, _line, _partition_start::text AS day, _run_id, _loaded_at"
        " FROM raw.visits ORDER BY _line"
    )
    assert [(row["visit"], row["_line"]) for row in rows] == [("v\n1", 2), ("v2", 4)]
    assert {(row["_drop_id"], row["day"], row["_run_id"]) for row in rows} == {(drop["id"], "2020-01-01", "run 7")}
    assert all(drop["discovered_at"] <= row["_loaded_at"] <= drop["settled_at"] for row in rows)


def test_a_repeated_key_is_a_duplicate_within_the_drop_and_against_the_table(site):
    site.arrive("a.csv", "v1,3,2,1,done", "v2,3,2,1,done", "v1,4,2,1,done")
    outcome = site.arrive("b.csv", "v2,5,2,1,done", "v3,3,2,1,done")
    assert (outcome.loaded, outcome.duplicate) == (1, 1)
    assert site.visits() == ["v1", "v2", "v3"]
    within, against = site.aside()
    assert (within["kind"], within["line"], within["raw"]) == ("duplicate", 4, "v1,4,2,1,done")
    assert "line 3 of drop" in against["reasons"][0]["message"]


def test_the_same_key_in_another_partition_is_another_row(site):
    site.arrive("a.csv", "v1,3,2,1,done", year="2020")
    assert site.arrive("a.csv", "v1,3,2,1,done", year="2021").loaded == 1
    assert site.visits() == ["v1", "v1"]


def test_a_contract_may_count_repeated_keys_as_broken_rows_or_keep_them(site):
    site.under(duplicates="quarantine").arrive("a.csv", "v1,3,2,1,done", "v1,3,2,1,done")
    assert [row["kind"] for row in site.aside()] == ["bad"]
    site.under(duplicates="keep").arrive("b.csv", "v2,3,2,1,done", "v2,3,2,1,done")
    assert site.visits() == ["v1", "v2", "v2"]


@pytest.mark.behaviour(number=24)
@pytest.mark.parametrize("key", ["visit", "visit,persons"])
def test_the_raw_text_of_a_duplicate_is_the_files_line_wherever_its_first_is(site, key):
    site.under(key=tuple(key.split(","))).arrive("a.csv", "v1,3,2,1,done")
    site.put_rows("b.csv", "v2,3,2,1,done", '"v1", 3,2.0,1,"done"', "v2,3,2.00,1,")
    site.discover()
    site.take()
    assert [(row["line"], row["kind"], row["raw"]) for row in site.aside()] == [
        (3, "duplicate", '"v1", 3,2.0,1,"done"'),
        (4, "duplicate", "v2,3,2.00,1,"),
    ]


@pytest.mark.behaviour(number=24)
def test_the_raw_text_of_a_duplicate_in_json_lines_is_its_line(site):
    site.arrive("a.csv", "v1,3,2,1,done")
    site.put("b.jsonl", '{"visit": "v2"}\n{"visit":  "v1", "persons": 3.0}\n')
    site.discover()
    site.take()
    assert [row["raw"] for row in site.aside()] == ['{"visit":  "v1", "persons": 3.0}']
