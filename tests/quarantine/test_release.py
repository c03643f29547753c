"""Quarantined rows and drops can be released once their contract was corrected, row by row or whole, or discarded."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lastmile import ledger
from lastmile.contracts import column
from lastmile.ingestion import worker
from lastmile.quarantine import query
from lastmile.quarantine.discard import discard
from lastmile.quarantine.query import Selection
from lastmile.quarantine.release import release as request

DYING_WORKER = Path(__file__).parents[1] / "dying_worker.py"
#: 2 of 6 rows break the contract for more than 50 persons, one for its outcome.
ROWS = ["v1,3,2,1,done", "v2,60,2,1,done", "v3,70,2,1,done", "v4,3,2,1,gone", "v5,3,2,1,done", "v6,3,2,1,absent"]
COUNTS = ("rows_read", "rows_loaded", "rows_quarantined", "rows_duplicate")


def allow(site, persons=100):
    """The contract mended: more persons may be met."""
    columns = {**site.contract.columns, "persons": column(int, "Persons met.", ge=0, le=persons)}
    return site.under(columns=columns)


def release(site, lines=None, run_id="release", **where):
    place = Selection(**where, lines=None if lines is None else tuple(lines))
    request(site.connection, query.lines(site.connection, place, ["loaded"]), [])
    return site.take(run_id=run_id)


def release_whole(site, **where):
    request(site.connection, {}, [drop["id"] for drop in query.drops(site.connection, Selection(**where), None)])
    return site.take()


def counts(site, drop=0):
    return tuple(site.drops()[drop][name] for name in COUNTS)


def quarantined_lines(site):
    return [row["line"] for row in site.aside()]


def events(site):
    return [event["message"] for event in site.query("SELECT message FROM ledger.events ORDER BY id")]


@pytest.mark.behaviour(number=29)
def test_rows_released_after_the_contract_was_corrected_load_and_no_other(site):
    site.arrive("a.csv", *ROWS)
    assert (counts(site), quarantined_lines(site)) == ((6, 3, 3, 0), [3, 4, 5])
    (outcome,) = release(allow(site), lines=[3])
    assert (outcome.loaded, outcome.quarantined) == (4, 2)
    assert (counts(site), quarantined_lines(site)) == ((6, 4, 2, 0), [4, 5])
    assert site.visits() == ["v1", "v2", "v5", "v6"]


def test_a_released_row_says_the_drop_and_line_it_came_from_and_the_run_that_released_it(site):
    site.arrive("a.csv", *ROWS)
    before = site.query("SELECT * FROM raw.visits ORDER BY _line")
    release(allow(site), lines=[3], run_id="run 8")
    (row,) = site.query("SELECT * FROM raw.visits WHERE _line = 3")
    assert (row["visit"], row["persons"], row["_drop_id"], row["_run_id"]) == ("v2", 60, site.drops()[0]["id"], "run 8")
    assert row["_loaded_at"] > max(other["_loaded_at"] for other in before)
    assert site.query("SELECT * FROM raw.visits WHERE _line <> 3 ORDER BY _line") == before


def test_a_release_is_recorded_in_the_ledger_with_the_contract_it_was_validated_by(site):
    site.arrive("a.csv", *ROWS)
    release(allow(site), drop=site.drops()[0]["id"])
    message = f"released 2 of 3 rows under contract {site.contract.version}; 1 are still quarantined"
    assert site.drops()[0]["message"] == message
    assert events(site)[-3:] == ["release of 3 rows requested", None, message]


def test_rows_that_still_do_not_fit_stay_with_the_reasons_of_the_contract_as_it_is_now(site):
    site.arrive("a.csv", *ROWS)
    release(allow(site, persons=65), lines=[3, 4])
    reasons = {row["line"]: [reason["message"] for reason in row["reasons"]] for row in site.aside()}
    assert list(reasons) == [4, 5]
    assert "65" in reasons[4][0]


@pytest.mark.behaviour(number=29)
def test_releasing_again_changes_nothing_and_reports_the_same_numbers(site):
    site.arrive("a.csv", *ROWS)
    drop_id = allow(site).drops()[0]["id"]
    results = []
    for _ in range(3):
        request(site.connection, {drop_id: [3, 4, 5]}, [])
        (outcome,) = site.take()
        results.append((outcome.read, outcome.loaded, outcome.quarantined, outcome.duplicate, site.visits()))
    assert results == [(6, 5, 1, 0, ["v1", "v2", "v3", "v5", "v6"])] * 3


def test_nothing_is_released_before_it_is_requested(site):
    site.arrive("a.csv", *ROWS)
    assert allow(site).take() == []
    assert counts(site) == (6, 3, 3, 0)


def test_a_release_ignores_the_share_of_bad_rows(site):
    site.under(max_bad_share=0.9).arrive("a.csv", "v1,60,2,1,done", "v2,3,2,1,gone", "v3,3,2,1,gone", "v4,3,2,1,done")
    release(allow(site).under(max_bad_share=0.1), lines=[2])
    assert site.visits() == ["v1", "v4"]


def test_rows_are_chosen_by_the_rule_they_broke(site):
    site.arrive("a.csv", *ROWS)
    rows = query.lines(site.connection, Selection(column="persons"), ["loaded"])
    assert rows == {site.drops()[0]["id"]: [3, 4]}
    assert query.lines(site.connection, Selection(rule="no such rule"), ["loaded"]) == {}


def test_a_released_row_whose_key_was_loaded_meanwhile_is_a_duplicate(site):
    site.arrive("a.csv", *ROWS)
    site.arrive("b.csv", "v2,1,2,1,done")
    release(allow(site), lines=[3, 4], dataset="visits")
    assert counts(site) == (6, 4, 1, 1)
    (duplicate,) = [row for row in site.aside() if row["kind"] == "duplicate"]
    assert (duplicate["line"], "line 2 of drop" in duplicate["reasons"][0]["message"]) == (3, True)


def test_a_released_row_is_compared_with_the_drops_own_rows_and_with_the_others_released(site):
    site.under(max_bad_share=0.9).arrive("a.csv", "v1,60,2,1,done", "v1,3,2,1,done", "v2,60,2,1,done", "v2,70,2,1,done")
    release(allow(site), dataset="visits")
    assert counts(site) == (4, 2, 0, 2)
    assert site.query("SELECT visit, persons, _line FROM raw.visits ORDER BY _line") == [
        {"visit": "v1", "persons": 3, "_line": 3},
        {"visit": "v2", "persons": 60, "_line": 4},
    ]


def test_a_duplicate_is_released_once_the_row_it_repeated_is_gone(site):
    site.arrive("a.csv", "v1,3,2,1,done")
    site.arrive("b.csv", "v1,4,2,1,done", "v2,4,2,1,done")
    assert counts(site, 1) == (2, 1, 0, 1)
    site.arrive("a.csv", "v9,3,2,1,done")
    release(site, partition="2020")
    assert site.visits() == ["v1", "v2", "v9"]


def test_a_release_reads_every_kind_of_row_again(site):
    site.under(max_bad_share=0.9).put(
        "a.jsonl", '{"visit": "v1", "persons": 60}\n{"visit": "v2", "persons": 3}\n{"visit": "v3"\n'
    )
    site.discover()
    site.take()
    assert quarantined_lines(site) == [1, 3]
    release(allow(site), dataset="visits")
    assert (site.visits(), quarantined_lines(site)) == (["v1", "v2"], [3])


def test_rows_are_found_again_in_a_drop_of_many_batches(site, monkeypatch):
    from lastmile.ingestion.batch import Reader

    monkeypatch.setattr(Reader.batches, "__defaults__", (10,))
    site.arrive("a.csv", *(f"v{number:03},{60 if number % 7 == 0 else 3},2,1,done" for number in range(100)))
    wanted = [row["line"] for row in site.aside() if row["line"] % 2 == 0]
    release(allow(site), lines=wanted)
    assert counts(site) == (100, 85 + len(wanted), 15 - len(wanted), 0)


def test_columns_that_a_later_contract_adds_are_filled_in_released_rows(site):
    site.put("a.csv", "visit,persons,weather\nv1,3,rain\nv2,60,sun\n")
    site.discover()
    site.take()
    release(allow(site).under(unknown_columns="add"), lines=[3])
    rows = site.query("SELECT visit, weather, _rescued FROM raw.visits ORDER BY visit")
    assert rows == [
        {"visit": "v1", "weather": None, "_rescued": {"weather": "rain"}},
        {"visit": "v2", "weather": "sun", "_rescued": None},
    ]


@pytest.mark.behaviour(number=29)
@pytest.mark.parametrize("where", ["after the claim", "after the first batch", "before the commit"])
def test_a_release_that_is_killed_leaves_everything_as_it_was_and_the_next_run_carries_it_out(site, where):
    mended = site.contract
    allow(site, persons=2).under(max_bad_share=0.9).arrive("a.csv", "v1,3,2,1,done", "v2,3,2,1,done", "v3,1,2,1,done")
    site.under(columns=mended.columns)
    request(site.connection, {site.drops()[0]["id"]: [2]}, [])
    _killed(site, where)
    assert (counts(site), quarantined_lines(site), site.visits(), site.cleaned()) == (
        (3, 1, 2, 0),
        [2, 3],
        ["v3"],
        ["v3"],
    )
    (outcome,) = site.take()
    assert (outcome.loaded, site.visits(), quarantined_lines(site)) == (2, ["v1", "v3"], [3])


def test_a_release_killed_after_its_commit_is_not_done_again(site):
    mended = site.contract
    allow(site, persons=2).under(max_bad_share=0.9).arrive("a.csv", "v1,3,2,1,done", "v3,1,2,1,done")
    site.under(columns=mended.columns)
    request(site.connection, {site.drops()[0]["id"]: [2]}, [])
    _killed(site, "after the commit")
    assert (site.visits(), site.take()) == (["v1", "v3"], [])


def test_two_workers_with_the_same_release_do_it_once(site, new_connection):
    site.arrive("a.csv", *ROWS)
    allow(site)
    request(site.connection, {site.drops()[0]["id"]: [3]}, [])
    held = ledger.claim_next(new_connection(), site.store.url, "visits", ["2020"], "another run")
    assert held.retake == [3]
    assert site.take() == []
    assert site.visits() == ["v1", "v5", "v6"]


def test_a_release_waits_for_a_drop_that_is_being_redone_and_then_finds_nothing_to_do(site, new_connection):
    site.arrive("a.csv", *ROWS)
    other = new_connection()
    drop = ledger.claim_next(other, site.store.url, "visits", ["2020"], "redo", ledger.now(other))
    request(site.connection, {drop.id: [3]}, [])
    assert allow(site).take() == []
    worker.ingest_drop(other, site.store, site.contract, drop, "redo")
    assert site.visits() == ["v1", "v2", "v3", "v5", "v6"]
    (outcome,) = site.take()
    assert "nothing to release" in outcome.message
    assert counts(site) == (6, 5, 1, 0)


def test_a_redo_of_the_partition_ingests_what_was_requested_with_all_the_rest(site):
    site.arrive("a.csv", *ROWS)
    allow(site)
    request(site.connection, {site.drops()[0]["id"]: [3]}, [])
    site.take(redo=True)
    assert site.visits() == ["v1", "v2", "v3", "v5", "v6"]
    assert site.drops()[0]["retake"] is None


def test_more_rows_requested_while_others_are_being_released_are_not_forgotten(site, new_connection):
    site.arrive("a.csv", *ROWS)
    other, drop_id = new_connection(), allow(site).drops()[0]["id"]
    request(site.connection, {drop_id: [3]}, [])
    drop = ledger.claim_next(other, site.store.url, "visits", ["2020"], "first")
    request(site.connection, {drop_id: [4]}, [])
    worker.ingest_drop(other, site.store, site.contract, drop, "first")
    assert site.visits() == ["v1", "v2", "v5", "v6"]
    site.take()
    assert site.visits() == ["v1", "v2", "v3", "v5", "v6"]


@pytest.mark.behaviour(number=29)
@pytest.mark.every_store
def test_nothing_is_released_of_a_drop_whose_object_is_gone(site):
    key = site.put_rows("a.csv", *ROWS)
    site.discover()
    site.take()
    site.store.delete(key)
    before = counts(site), quarantined_lines(site)
    assert release(allow(site), lines=[3]) == []
    assert (counts(site), quarantined_lines(site)) == before
    assert "not released, rows kept" in site.drops()[0]["message"]
    assert "a.csv" in site.drops()[0]["message"]
    assert site.take() == []


@pytest.mark.every_store
def test_nothing_is_released_of_a_drop_that_was_replaced_after_the_request(site):
    site.arrive("a.csv", *ROWS)
    request(site.connection, {site.drops()[0]["id"]: [3]}, [])
    site.put_rows("a.csv", "v7,3,2,1,done")
    site.discover()
    allow(site).take()
    assert site.take() == []
    assert (site.states(), site.visits()) == (["superseded", "loaded"], ["v7"])


def test_nothing_is_released_under_a_contract_that_refuses_the_drop(site):
    site.arrive("a.csv", *ROWS)
    columns = {**site.contract.columns, "team": column(str, "Who went.", required=True)}
    assert release(site.under(columns=columns), lines=[3]) == []
    assert "'team'" in site.drops()[0]["message"]
    assert (counts(site), site.visits()) == ((6, 3, 3, 0), ["v1", "v5", "v6"])


@pytest.mark.every_store
def test_rows_of_a_drop_that_was_replaced_are_no_longer_quarantined(site):
    site.arrive("a.csv", *ROWS)
    site.arrive("a.csv", *ROWS[:2])
    assert [row["line"] for row in query.rows(site.connection, Selection(), 10)] == [3]
    assert {row["drop_id"] for row in query.rows(site.connection, Selection(), 10)} == {site.drops()[1]["id"]}


@pytest.mark.behaviour(number=29)
def test_a_drop_quarantined_whole_is_re_ingested_any_number_of_times(site):
    site.arrive("a.csv", *ROWS[1:4])
    assert site.states() == ["quarantined"]
    release_whole(site)
    assert (site.states(), counts(site)) == (["quarantined"], (3, 0, 3, 0))
    release_whole(allow(site))
    assert (site.states(), site.visits(), counts(site)) == (["loaded"], ["v2", "v3"], (3, 2, 1, 0))
    for _ in range(2):
        request(site.connection, {}, [site.drops()[0]["id"]])
        site.take()
        assert (site.states(), site.visits(), counts(site)) == (["loaded"], ["v2", "v3"], (3, 2, 1, 0))


@pytest.mark.every_store
def test_a_missing_drop_that_is_requested_stays_missing_while_its_object_is_gone(site, monkeypatch):
    monkeypatch.setattr(worker, "FIRST_RETRY_WAIT", worker.FIRST_RETRY_WAIT / 100)
    key = site.put_rows("a.csv", "v1,3,2,1,done")
    site.discover()
    site.store.delete(key)
    site.take()
    assert site.states() == ["missing"]
    assert release_whole(site) == []
    assert (site.states(), site.drops()[0]["retake"]) == (["missing"], None)


def test_only_the_requested_drop_is_re_ingested(site):
    for name in ("a.csv", "b.csv"):
        site.arrive(name, *ROWS[1:4] if name == "a.csv" else ["v8,60,2,1,done"])
    release_whole(allow(site), drop=site.drops()[1]["id"])
    assert site.states() == ["quarantined", "loaded"]


def test_a_drop_that_no_contract_fits_is_passed_over(site):
    site.store.put("landing/visits/no year/a.csv", b"visit\nv1\n")
    site.discover()
    (drop,) = query.drops(site.connection, Selection(), None)
    assert drop["is_unfit"]
    assert request(site.connection, {}, [drop["id"]]) == []


@pytest.mark.behaviour(number=29)
def test_a_discarded_row_is_shown_no_more_and_does_not_load_even_when_the_drop_is_re_ingested(site):
    site.arrive("a.csv", *ROWS)
    assert discard(site.connection, {site.drops()[0]["id"]: [3]}, [], "a trial record") == (1, 0)
    assert [row["line"] for row in query.rows(site.connection, Selection(), 10)] == [4, 5]
    assert [row["line"] for row in query.rows(site.connection, Selection(discarded=True), 10)] == [3, 4, 5]
    for _ in range(2):
        allow(site).take(redo=True)
        assert (counts(site), site.visits()) == ((6, 4, 2, 0), ["v1", "v3", "v5", "v6"])
    assert [row["line"] for row in query.rows(site.connection, Selection(), 10)] == [5]
    assert site.aside()[0]["reasons"][0]["message"] == "discarded by decision: a trial record"


def test_a_discarded_row_is_released_only_on_request(site):
    site.arrive("a.csv", *ROWS)
    discard(site.connection, {site.drops()[0]["id"]: [3]}, [], "a trial record")
    release(allow(site), dataset="visits")
    assert site.visits() == ["v1", "v3", "v5", "v6"]
    release(site, lines=[3], discarded=True)
    assert site.visits() == ["v1", "v2", "v3", "v5", "v6"]


def test_a_decision_to_discard_is_in_the_ledger_once(site):
    site.arrive("a.csv", *ROWS)
    for _ in range(2):
        discard(site.connection, {site.drops()[0]["id"]: [3, 4]}, [], "trial records")
    assert [said for said in events(site) if said and "discarded" in said] == [
        "discarded 2 rows (lines 3, 4): trial records"
    ]


def test_discarding_the_bad_rows_lets_the_rest_of_a_drop_in(site):
    site.arrive("a.csv", *ROWS[:4])
    assert site.states() == ["quarantined"]
    discard(site.connection, query.lines(site.connection, Selection(column="persons"), ["quarantined"]), [], "trials")
    release_whole(site)
    assert (site.states(), site.visits(), counts(site)) == (["loaded"], ["v1"], (4, 1, 3, 0))


def test_a_discarded_drop_is_shown_no_more_and_a_redo_leaves_it_alone(site):
    site.arrive("a.csv", *ROWS[1:4])
    drop_id = site.drops()[0]["id"]
    assert discard(site.connection, {}, [drop_id], "the wrong survey") == (0, 1)
    assert query.drops(site.connection, Selection(), 10) == []
    assert query.totals(site.connection, Selection()).listed == 0
    assert allow(site).take(redo=True) == []
    assert (site.states(), site.drops()[0]["discarded_why"]) == (["quarantined"], "the wrong survey")
    release_whole(site, discarded=True)
    assert (site.states(), site.drops()[0]["discarded_why"]) == (["loaded"], None)


def _killed(site, where):
    command = [sys.executable, str(DYING_WORKER), site.database_url, site.store.url, where]
    killed = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    others = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    deadline = time.monotonic() + 5
    while site.query(others):
        assert time.monotonic() < deadline, "the killed worker's session lives on"
        time.sleep(0.05)
