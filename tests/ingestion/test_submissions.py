"""Records on their way into the landing area: gathered, edited, withdrawn, and in the table as they were sent last."""

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import hypothesis
import hypothesis.strategies as st
import orjson
import pytest
from visits import Site

from lastmile.errors import UserError
from lastmile.ingestion.submissions import Accepted, Record, Submission
from lastmile.ingestion.submissions.accepting import accept
from lastmile.ingestion.submissions.gatherer import step
from lastmile.ingestion.submissions.gathering import gather
from lastmile.ingestion.submissions.jobs import find, records_of
from lastmile.ingestion.submissions.objects import lines
from lastmile.ingestion.submissions.parsing import parse

REQUIRED = {"visit": ("visit",)}


def visit(record: str, year: str = "2020", **more: Any) -> Record:
    """The visit of that number; with its fields."""
    about = {name: more.pop(name) for name in ("revision", "withdrawn", "owner") if name in more}
    body = {"visit": record, "persons": 3, "hours": 2.5, "travel_hours": 1, "outcome": "done"} | more
    return Record("visits", year, record, orjson.dumps(body).decode(), **about)


def submission(*records: Record, **more: Any) -> Submission:
    about = {"principal": "key:test", "fingerprint": b"one"} | more
    return Submission(uuid4(), "records", "visits", "2020", records=list(records), **about)


def send(site: Site, *records: Record, **more: Any) -> Accepted:
    with site.connection.transaction():
        (accepted,) = accept(site.connection, [submission(*records, **more)])
    return accepted


def gathered(site: Site) -> None:
    step(site.connection, site.store, lambda dataset: REQUIRED)


def ingested(site: Site) -> None:
    gathered(site)
    site.discover()
    site.take()


def persons(site: Site) -> dict[str, int]:
    return {row["visit"]: row["persons"] for row in site.query("SELECT visit, persons FROM raw.visits")}


def test_records_of_a_second_are_one_drop_in_order_of_acceptance(site: Site) -> None:
    for number in range(20):
        send(site, visit(f"v{number:02}"))
    ingested(site)
    (drop,) = site.drops()
    assert drop["rows_loaded"] == 20
    assert drop["key"].startswith("landing/visits/2020/records/")
    rows = site.query("SELECT visit, _line FROM raw.visits ORDER BY _line")
    assert [row["visit"] for row in rows] == [f"v{number:02}" for number in range(20)]


def test_the_same_record_sent_ten_times_is_one(site: Site) -> None:
    found = [send(site, visit("v1")) for _ in range(10)]
    assert [one.repeated for one in found] == [0, *[1] * 9]
    ingested(site)
    assert persons(site) == {"v1": 3}
    assert {find(site.connection, one.job).state for one in found} == {"loaded"}


def test_an_idempotency_key_gives_the_first_job_again_and_is_refused_for_another_request(site: Site) -> None:
    first, again, other = (
        send(site, visit("v1"), idempotency_key="k", fingerprint=fingerprint)
        for fingerprint in (b"one", b"one", b"two")
    )
    assert (again.job, again.replayed) == (first.job, True)
    assert other.conflicting
    someone_else = send(site, visit("v2"), idempotency_key="k", principal="key:other")
    assert not someone_else.replayed


def test_one_commit_may_have_the_same_key_and_record_several_times(site: Site) -> None:
    sent = [submission(visit("v1"), idempotency_key="k") for _ in range(5)] + [submission(visit("v1"))]
    with site.connection.transaction():
        found = accept(site.connection, sent)
    assert len({one.job for one in found[:5]}) == 1
    assert found[5].repeated == 1
    assert site.query("SELECT count(*) AS n FROM submissions.records") == [{"n": 1}]


@pytest.mark.every_store
def test_an_edit_replaces_the_row_where_it_stands(site: Site) -> None:
    send(site, visit("v1"), visit("v2"))
    ingested(site)
    send(site, visit("v1", persons=9))
    ingested(site)
    assert persons(site) == {"v1": 9, "v2": 3}
    assert site.states() == ["superseded", "loaded"]
    assert len({drop["key"] for drop in site.drops()}) == 1


def test_a_lower_revision_that_comes_late_does_not_count(site: Site) -> None:
    send(site, visit("v1", persons=5, revision=5))
    ingested(site)
    late = send(site, visit("v1", persons=4, revision=4))
    ingested(site)
    assert persons(site) == {"v1": 5}
    assert find(site.connection, late.job).state == "superseded"


def test_an_edit_that_moves_to_another_partition_leaves_the_one_it_was_in(site: Site) -> None:
    send(site, visit("v1"), visit("v2"))
    ingested(site)
    send(site, visit("v1", year="2021"))
    ingested(site)
    rows = site.query("SELECT visit, _partition_start::text AS start FROM raw.visits ORDER BY visit")
    assert [(row["visit"], row["start"][:4]) for row in rows] == [("v1", "2021"), ("v2", "2020")]


@pytest.mark.every_store
def test_the_last_record_of_an_object_that_is_withdrawn_leaves_no_row(site: Site) -> None:
    send(site, visit("v1"))
    ingested(site)
    withdrawal = send(site, Record("visits", "2020", "v1", "{}", withdrawn=True))
    ingested(site)
    assert persons(site) == {}
    assert find(site.connection, withdrawal.job).state == "withdrawn"
    send(site, visit("v1", persons=1))
    ingested(site)
    assert persons(site) == {"v1": 1}


def test_records_of_two_emptied_objects_vanish_too(site: Site) -> None:
    """Two empty objects have the same bytes under different names."""
    for number in ("v1", "v2"):
        send(site, visit(number))
        ingested(site)
    send(site, *(Record("visits", "2020", number, "{}", withdrawn=True) for number in ("v1", "v2")))
    ingested(site)
    assert persons(site) == {}


def test_a_set_is_replaced_as_a_whole_with_its_owner(site: Site) -> None:
    def household(revision: int, *members: str) -> None:
        head = visit("head", revision=revision, persons=revision)
        send(site, head, *(visit(one, owner=head.as_owner(), persons=revision) for one in members))
        ingested(site)

    household(1, "a", "b")
    assert persons(site) == {"head": 1, "a": 1, "b": 1}
    household(3, "b", "c")
    assert persons(site) == {"head": 3, "b": 3, "c": 3}
    household(2, "a", "d")
    assert persons(site) == {"head": 3, "b": 3, "c": 3}
    send(site, Record("visits", "2020", "head", "{}", 4, withdrawn=True))
    ingested(site)
    assert persons(site) == {}


def test_the_job_of_records_says_of_each_what_became_of_it_and_why(site: Site) -> None:
    accepted = send(site, visit("v1"), visit("v2"), visit("v3", persons=99), visit("v2x", visit="v2"))
    assert find(site.connection, accepted.job).state == "accepted"
    gathered(site)
    assert find(site.connection, accepted.job).state == "landed"
    site.discover()
    assert find(site.connection, accepted.job).state == "discovered"
    site.take()
    job = find(site.connection, accepted.job)
    assert (job.state, job.rows_loaded, job.rows_quarantined + job.rows_duplicate) == ("loaded", 2, 2)
    states = {one.record: one.state for one in records_of(site.connection, accepted.job, 10)}
    assert states["v3"] == "quarantined"
    assert states["v2x"] in ("duplicate", "quarantined")
    (bad,) = (one for one in records_of(site.connection, accepted.job, 10) if one.record == "v3")
    assert bad.reasons[0]["column"] == "persons"


def test_a_device_that_sends_nothing_but_bad_records_holds_up_no_other(site: Site) -> None:
    """Of a file the whole would be quarantined: more than half of it is bad."""
    send(site, *(visit(f"bad{number}", persons=99) for number in range(9)))
    send(site, visit("good"))
    ingested(site)
    (drop,) = site.drops()
    assert (drop["state"], drop["rows_loaded"], drop["rows_quarantined"]) == ("loaded", 1, 9)
    assert site.visits() == ["good"]


def test_a_record_without_a_required_column_is_one_bad_row(site: Site) -> None:
    send(site, Record("visits", "2020", "r1", '{"persons":1}'))
    accepted = send(site, Record("visits", "2020", "r2", '{"persons":2}'))
    ingested(site)
    (one,) = records_of(site.connection, accepted.job, 10)
    assert one.state == "quarantined"
    assert one.reasons[0]["rule"] == "required"
    assert one.reasons[0]["column"] == "visit"


@pytest.mark.every_store
def test_an_object_written_twice_after_a_crash_loads_once_and_its_records_know(site: Site) -> None:
    accepted = send(site, visit("v1"))
    gather(site.connection, site.store.url)
    (key,) = (row["key"] for row in site.query("SELECT key FROM submissions.objects"))
    (body,) = (row["body"] for row in site.query("SELECT body FROM submissions.records"))
    site.store.put(key, f"{body}\n".encode())  # and then it was killed
    site.discover()
    site.take()
    ingested(site)
    assert persons(site) == {"v1": 3}
    assert find(site.connection, accepted.job).state == "loaded"


def test_more_records_than_one_object_has_are_several_in_order(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lastmile.ingestion.submissions.gathering.MOST", 30)
    for first in range(0, 100, 50):
        send(site, *(visit(f"v{number:03}") for number in range(first, first + 50)))
    ingested(site)
    rows = site.query("SELECT visit FROM raw.visits JOIN ledger.drops d ON d.id = _drop_id ORDER BY d.key, _line")
    assert [row["visit"] for row in rows] == [f"v{number:03}" for number in range(100)]


# What happens to three records, in any order, with gathering and ingestion in between at any time.
SENT = st.tuples(
    st.sampled_from(["v1", "v2"]),
    st.sampled_from(["2020", "2021"]),
    st.integers(0, 9),
    st.none() | st.integers(0, 3),
    st.integers(0, 4).map(lambda number: number == 4),
)
STEPS = st.lists(st.one_of(SENT, SENT, SENT, st.sampled_from(["gather", "ingest"])), min_size=3, max_size=14)


@hypothesis.settings(
    max_examples=40, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture], print_blob=True
)
@hypothesis.given(steps=STEPS)
def test_whatever_the_order_the_table_ends_with_the_newest_revision_of_each_record(
    site: Site, steps: Sequence[Any]
) -> None:
    for table in ("submissions.jobs", "submissions.objects", "quarantine.rows", "ledger.drops", "raw.visits"):
        site.connection.execute(f"TRUNCATE {table} CASCADE")
    for found in list(site.store.list("landing/")):
        site.store.delete(found.key)
    newest: dict[str, tuple[int, Record]] = {}
    seen: set[tuple[str, bytes]] = set()
    for one in steps:
        if one == "gather":
            gathered(site)
        elif one == "ingest":
            ingested(site)
        else:
            record, year, number, revision, withdrawn = one
            sent = visit(record, year, persons=number, revision=revision, withdrawn=withdrawn)
            send(site, sent)
            before = newest.get(record, (-1, sent))[0]
            rank = before if revision is None else revision
            if (record, sent.digest) not in seen and rank >= before:
                newest[record] = (rank, sent)
            seen.add((record, sent.digest))
    ingested(site)
    expected = {
        record: (orjson.loads(sent.body)["persons"], sent.partition)
        for record, (_, sent) in newest.items()
        if not sent.withdrawn
    }
    rows = site.query("SELECT visit, persons, _partition_start::text AS start FROM raw.visits")
    assert {row["visit"]: (row["persons"], row["start"][:4]) for row in rows} == expected
    assert len(rows) == len(expected)


def test_numbers_keep_the_digits_they_were_sent_with() -> None:
    (one,) = parse(b'{"_id": 7, "a": 0.10, "b": 123456789012345678901234567890, "c": null, "d": [1.0]}', False)
    assert one.record == "7"
    assert one.body == '{"a":0.10,"b":123456789012345678901234567890,"c":null,"d":[1.0]}'


@pytest.mark.parametrize(
    "body",
    [b'{"a": NaN}', b'{"a": 1, "a": 2}', rb'{"a": "\ud800"}', b"[]", b"3", b'[{"a": 1}, 3]', b"\xff", b"["],
)
def test_what_json_does_not_have_is_refused(body: bytes) -> None:
    with pytest.raises(UserError):
        parse(body, False)


def test_nesting_without_end_is_refused() -> None:
    with pytest.raises(UserError, match="nested too deeply"):
        parse(b"[" * 1_000_000, False)


def test_a_missing_column_is_named_once_however_it_is_written() -> None:
    assert lines(['{"a":1}', '{"a":2}'], REQUIRED) == ['{"a":1,"visit":null}', '{"a":2}']
    assert lines(["{}"], REQUIRED) == ['{"visit":null}']
    assert lines(['{"Visit":1}'], REQUIRED) == ['{"Visit":1}']
