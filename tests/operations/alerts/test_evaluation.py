"""Any history of values, played: what fires and recovers, and what is said of it."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastmile.contracts.alerts import Route
from lastmile.operations.alerts.announcing import Announcing, Timing
from lastmile.operations.alerts.evaluation import MEMORY, evaluate
from lastmile.operations.alerts.routing import Silence
from lastmile.operations.alerts.rule import Reading, Rule

START = datetime(2026, 1, 1, tzinfo=UTC)
RULE = Rule("bad_share", "crop", "team", 0.1, lasting=60)
EVERY = Route(channels=("mail",))
TICK = 15


class History:
    """Plays readings, one look each 15 seconds."""

    def __init__(self, rules=(RULE,), routes=(EVERY,), timing=Timing()):  # noqa: B008  # frozen
        self.rules, self.routes, self.timing = rules, routes, timing
        self.alerts, self.messages, self.silences, self.now = {}, [], [], START

    def look(self, readings, times=1):
        """Readings by part of `crop`, or by rule and subject; the messages of these looks."""
        found = {} if readings is None else readings
        if found and not isinstance(next(iter(found)), tuple):
            found = {("bad_share", "crop"): [Reading(value, part) for part, value in found.items()]}
        if readings == {}:
            found = {(rule.name, rule.subject): [] for rule in self.rules}
        said = []
        for _ in range(times):
            self.now += timedelta(seconds=TICK)
            self.alerts = evaluate(self.rules, found, self.alerts, self.now)
            announcing = Announcing(self.routes, self.silences, self.timing, self.now, "runbook.md")
            self.alerts, messages = announcing.announce(self.alerts)
            said += messages
        self.messages += said
        return said

    def whats(self):
        return [one.what for one in self.messages]


def test_a_value_that_is_bad_for_less_than_its_rule_says_is_no_alert():
    history = History()
    history.look({"2019": 0.5}, times=4)
    assert {one.state for one in history.alerts.values()} == {"pending"}
    history.look({})
    assert (history.alerts, history.messages) == ({}, [])


def test_an_alert_is_one_message_and_its_end_another():
    history = History()
    history.look({"2019": 0.5}, times=200)
    history.look({}, times=200)
    assert history.whats() == ["firing", "recovered"]
    assert "crop 2019: 50 % (threshold 10 %)" in history.messages[0].body
    assert "runbook.md#bad_share" in history.messages[0].body


def test_a_thousand_partitions_that_fail_are_one_message():
    history = History()
    bad = {str(number): 0.9 for number in range(1000)}
    history.look(bad, times=20)
    (said,) = history.messages
    assert "1,000 of crop" in said.title
    assert "and 990 more" in said.body
    history.look({}, times=20)
    assert history.whats() == ["firing", "recovered"]


def test_partitions_that_fail_one_after_another_are_a_message_every_few_minutes():
    history = History()
    for number in range(400):  # 100 minutes
        history.look({str(one): 0.9 for one in range(number + 1)})
    assert len(history.messages) <= 100 / 5 + 1


def test_fifty_datasets_of_one_owner_are_one_message():
    rules = [Rule("freshness", f"set_{number}", "team", 3600) for number in range(50)]
    history = History(rules)
    history.look({(rule.name, rule.subject): [Reading(7200)] for rule in rules}, times=20)
    assert [one.title for one in history.messages] == ["[warning] freshness: 50 of 50 subjects, such as set_0"]


def test_what_goes_on_is_said_again_after_hours_only():
    history = History(timing=Timing(repeat=timedelta(hours=1)))
    history.look({"2019": 0.5}, times=int(2.5 * 3600 / TICK))
    assert history.whats() == ["firing", "repeated", "repeated"]


@pytest.mark.parametrize("bad_for", [2, 10])
def test_a_value_that_flaps_is_one_alert(bad_for):
    history = History()
    history.look({"2019": 0.5}, times=10)
    for _ in range(100):
        history.look({}, times=2)
        history.look({"2019": 0.5}, times=bad_for)
    history.look({}, times=20)
    assert history.whats() == ["firing", "recovered"]


def test_an_alert_that_comes_back_has_to_be_fine_for_longer_each_time():
    history = History()
    fine_for = []
    for _ in range(4):
        history.look({"2019": 0.5}, times=12)
        looks = 0
        while not any(one.what == "recovered" for one in history.look({})):
            looks += 1
        fine_for.append(looks * TICK)
    assert fine_for == sorted(fine_for)
    assert fine_for[-1] >= 6 * fine_for[0]


def test_an_unknown_value_changes_nothing():
    history = History()
    history.look({"2019": 0.5}, times=20)
    before = history.alerts
    history.look(None, times=50)
    assert history.alerts == before
    assert history.whats() == ["firing"]


def test_the_alert_of_a_rule_that_is_no_longer_declared_is_over():
    history = History()
    history.look({"2019": 0.5}, times=20)
    history.rules = ()
    history.look(None, times=2)
    assert history.whats() == ["firing", "recovered"]


def test_a_silenced_alert_is_announced_once_the_silence_is_over():
    history = History()
    until = START + timedelta(hours=1)
    history.silences = [Silence(1, "bad_*", "crop", "*", "*", until, "known", "ada")]
    history.look({"2019": 0.5}, times=int(3600 / TICK) - 1)
    assert history.messages == []
    history.look({"2019": 0.5}, times=2)
    assert history.whats() == ["firing"]


def test_an_alert_that_came_and_went_in_silence_is_never_mentioned():
    history = History()
    history.silences = [Silence(1, "*", "*", "2019", "*", START + timedelta(days=1), "known", "ada")]
    history.look({"2019": 0.5}, times=20)
    history.look({}, times=20)
    assert history.messages == []


def test_what_is_not_acknowledged_is_escalated_once_and_both_channels_learn_of_its_end():
    route = Route(channels=("mail",), escalate_after=timedelta(minutes=10), escalate_to=("phone",))
    history = History(routes=[route])
    history.look({"2019": 0.5}, times=200)
    history.look({}, times=20)
    assert [(one.what, one.channels) for one in history.messages] == [
        ("firing", ("mail",)),
        ("escalated", ("phone",)),
        ("recovered", ("mail", "phone")),
    ]


def test_what_is_acknowledged_is_not_escalated():
    from dataclasses import replace

    route = Route(channels=("mail",), escalate_after=timedelta(minutes=10), escalate_to=("phone",))
    history = History(routes=[route])
    history.look({"2019": 0.5}, times=20)
    history.alerts = {key: replace(one, acknowledged_at=history.now) for key, one in history.alerts.items()}
    history.look({"2019": 0.5}, times=200)
    assert history.whats() == ["firing"]


@pytest.mark.parametrize(
    ("owner", "severity", "channels"),
    [("team", "critical", ("phone",)), ("team", "warning", ("mail",)), ("other", "critical", ())],
)
def test_the_first_route_that_fits_counts(owner, severity, channels):
    routes = [Route(owner="te*", severity="critical", channels=("phone",)), Route(owner="team", channels=("mail",))]
    history = History([Rule("bad_share", "crop", owner, 0.1, severity)], routes)
    history.look({"2019": 0.5}, times=20)
    assert [one.channels for one in history.messages] == [channels]


@pytest.mark.parametrize("value", [0.1, 0.2])
def test_a_value_at_the_threshold_is_bad(value):
    assert evaluate([RULE], {("bad_share", "crop"): [Reading(value)]}, {}, START)


def test_a_score_below_its_floor_is_bad_and_one_at_it_is_not():
    rule = Rule("floor", "model", "team", 0.85)
    assert evaluate([rule], {("floor", "model"): [Reading(0.84)]}, {}, START)
    assert not evaluate([rule], {("floor", "model"): [Reading(0.85)]}, {}, START)


looks = st.lists(st.sets(st.sampled_from("abc")), max_size=120)


@given(looks, st.sampled_from([0.0, 30.0, 60.0]))
def test_whatever_happens_each_alert_is_announced_and_ended_in_turn_and_at_the_end_all_is_over(
    history_of_parts, lasting
):
    history = History([Rule("bad_share", "crop", "team", 0.1, lasting=lasting)])
    for parts in history_of_parts:
        history.look(dict.fromkeys(parts, 0.5))
    for _ in range(20):
        history.now += MEMORY / 2
        history.look({})
    known = set()
    for message in history.messages:
        about = set(message.about)
        if message.what == "firing":
            assert not about & known
            known |= about
        elif message.what == "recovered":
            assert about <= known
            known -= about
    assert known == set()
    assert history.alerts == {}
    assert len({message.id for message in history.messages}) == len(history.messages)


@given(looks)
def test_the_same_history_makes_the_same_messages(history_of_parts):
    one, other = History(), History()
    for history in (one, other):
        for parts in history_of_parts:
            history.look(dict.fromkeys(parts, 0.5))
    assert one.messages == other.messages
