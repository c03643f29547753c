"""What became of the columns of drops is reported by kind, with what to do, and in bounded room."""

import pytest
from visits import HEADER, VISITS

from lastmile.ledger.query import HeaderChange, header_changes
from lastmile.orchestration.drops.schema_drift import described, renamed, undeclared

pytestmark = pytest.mark.behaviour(number=21)


def drops(*numbers, **change):
    return HeaderChange(change, len(numbers), [f"landing/visits/2020/{number}.csv" for number in numbers[:3]])


def test_a_column_that_nobody_declared_is_told_with_its_drops_and_what_to_do():
    message, _ = undeclared(VISITS, [drops(1, rescued=["Mood"]), drops(2, rescued=["Mood", "x"])])
    assert message == (
        "Mood (2 drops: landing/visits/2020/1.csv, landing/visits/2020/2.csv): not declared, kept as JSON in"
        " `_rescued`; declare it, or have it left out of the files"
    )


def test_a_column_added_to_the_table_is_told():
    (message,) = undeclared(VISITS, [drops(1, added=["Mood"])])
    assert "added to the table as text; declare it with its type and meaning" in message


def test_a_rescued_column_that_is_declared_by_now_can_be_filled_in():
    (message,) = undeclared(VISITS, [drops(1, rescued=["Duration"])])
    assert "declared by now: fill it in with `lastmile rescued fill --dataset visits --column hours`" in message


def test_a_rescued_column_that_is_part_of_the_key_by_now_cannot_be_filled_in():
    (message,) = undeclared(VISITS, [drops(1, rescued=["Visit"])])
    assert "re-ingest the drops with `lastmile backfill --dataset visits --redo`" in message


def test_what_a_contract_foresees_is_no_fault_but_told_by_kind():
    changes = [drops(1, missing=["hours"], renamed={"DURATION": "hours"}), drops(2, reordered=True)]
    assert undeclared(VISITS, changes) == []
    message = described(changes)
    for part in (
        "missing and so empty** (nothing",
        "- hours: 1 drop",
        "- DURATION → hours: 1 drop",
        "- 1 drop: landing/",
    ):
        assert part in message


def test_a_run_logs_under_which_headers_the_columns_of_a_drop_were_found():
    assert renamed({"renamed": {"Household ID": "hhid", "DURATION": "hours"}}) == (
        "'Household ID' read as hhid, 'DURATION' read as hours"
    )
    assert renamed({"missing": ["hours"]}) == ""
    assert len(renamed({"renamed": {f"Column {n}" * 20: f"column_{n}" for n in range(3_000)}})) < 4_000


def test_drops_that_are_not_in_force_tell_nothing_and_equal_ones_are_told_once(site):
    for name in ("a.csv", "b.csv"):
        site.put(name, f"{HEADER},Mood\n{name},3,2,1,done,fine")
        site.discover()
        site.take()
    site.arrive("a.csv", "v1,3,2,1,done")
    (change,) = header_changes(site.connection, site.store.url, "visits", 3)
    assert change == HeaderChange({"rescued": ["Mood"]}, 1, ["landing/visits/2020/b.csv"])
    site.put("c.csv", f"{HEADER},Mood\nc,3,2,1,done,fine", year="2021")
    site.discover()
    site.take()
    (change,) = header_changes(site.connection, site.store.url, "visits", 1)
    assert (change.drops, change.keys) == (2, ["landing/visits/2020/b.csv"])


def test_ten_thousand_drops_take_no_more_room_than_ten():
    changes = [drops(number, rescued=["Mood", f"column {number}", "x" * 1000]) for number in range(10_000)]
    assert len("\n".join(undeclared(VISITS, changes))) < 8_000
    assert len(described(changes)) < 6_000
    assert "10,000 drops" in undeclared(VISITS, changes)[0]
