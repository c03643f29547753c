"""The verdict on a day finds what went wrong, and nothing else."""

from collections import Counter
from types import SimpleNamespace

import psycopg
import pytest
from endurance.calls import Answers
from endurance.field import Field
from endurance.measuring import Sample
from endurance.verdict import faults_of_data, faults_of_growth, faults_of_requests, faults_of_runs

MB = 2**20


def samples(memory=lambda at: 200 * MB, files=lambda at: 30, connections=lambda at: 20, oldest=0.0):
    return [
        Sample(
            at, {"api": memory(at)}, {"api": files(at)}, {"connections": connections(at), "oldest_run_seconds": oldest}
        )
        for at in range(40)
    ]


def test_a_steady_day_has_no_faults():
    assert faults_of_growth(samples()) == faults_of_runs(samples()) == []


@pytest.mark.parametrize(
    ("grows", "said"),
    [
        ({"memory": lambda at: (200 + 5 * at) * MB}, "memory of api grew from 272 to 372 MB"),
        ({"files": lambda at: 30 + at}, "open files of api grew from 44 to 64"),
        ({"connections": lambda at: 20 + at}, "connections grew from 34 to 54"),
    ],
)
def test_what_grows_through_the_day_is_named(grows, said):
    assert [fault.replace("44.5", "44") for fault in faults_of_growth(samples(**grows))] == [said]


def test_a_process_that_was_killed_and_is_small_again_has_not_grown():
    assert faults_of_growth(samples(memory=lambda at: (200 + 3 * (at % 10)) * MB)) == []


def test_a_run_that_is_never_done_is_named():
    assert faults_of_runs(samples(oldest=1_000.0)) == ["a run has been under way for 1000 s"]


def test_one_request_in_five_hundred_without_an_answer_is_too_many():
    assert faults_of_requests(Answers(Counter(at_once=9_900, later=95, never=5))) == []
    assert faults_of_requests(Answers(Counter(at_once=998, never=2))) == [
        "99.800% of requests were answered, not 99.9%"
    ]


@pytest.fixture
def table(database_url, monkeypatch):
    monkeypatch.setattr("endurance.verdict.violations", lambda *_: [])
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA IF NOT EXISTS raw")
        connection.execute("CREATE TABLE raw.lstk (hhid text)")
        yield SimpleNamespace(
            connection=connection,
            put=lambda *rows: [connection.execute("INSERT INTO raw.lstk VALUES (%s)", [r]) for r in rows],
        )
        connection.execute("DROP TABLE raw.lstk")


def test_rows_that_are_lost_twice_or_never_sent_are_named_and_unanswered_ones_may_be_either(table, tmp_path):
    sent = Field(tmp_path / "landing", 7)
    one, two, three, four = (sent.household() for _ in range(4))
    sent.accepted, sent.unanswered = {one, two, three}, {four}
    table.put(one, two, three)
    assert faults_of_data(table.connection, sent) == []
    table.put(four)
    assert faults_of_data(table.connection, sent) == []
    table.put(two, "day_strange")
    table.connection.execute("DELETE FROM raw.lstk WHERE hhid = %s", [one])
    assert faults_of_data(table.connection, sent) == [
        f"1 accepted rows are lost, such as {one}",
        f"1 rows are there twice, such as {two}",
        "1 rows were never sent, such as day_strange",
    ]
