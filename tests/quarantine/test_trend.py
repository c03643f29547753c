"""The share of bad rows from drop to drop: a newest drop far above what is usual is noticed, and chance is not."""

import random

import pytest

from lastmile.quarantine.trend import NEWEST, Share, anomaly, shares


def drops(*counts):
    return [Share(number, f"{number}.csv", "2020", bad, read) for number, (bad, read) in enumerate(counts, 1)]


def test_a_drop_with_far_more_bad_rows_than_usual_is_named_with_what_is_usual():
    said = anomaly(drops(*[(10, 1000)] * 8, (90, 1000)))
    assert "drop 9 (9.csv): 90 of 1,000 rows (9.0%)" in said
    assert "usual is 1.0%, the median of the 8 drops before it" in said


@pytest.mark.parametrize(
    "counts",
    [
        [(10, 1000)] * 8 + [(25, 1000)],  # more, but not three times
        [(10, 1000)] * 8 + [(1, 20)],  # five times, as chance brings among 20 rows
        [(0, 1000)] * 8 + [(1, 1000)],  # the first bad row ever
        [(10, 1000)] * 4 + [(900, 1000)],  # too few to know what is usual
        [(300, 1000)] * 8 + [(800, 1000)],
        [],
    ],
)
def test_what_chance_or_habit_explains_is_not_named(counts):
    assert anomaly(drops(*counts)) is None


def test_where_no_row_was_ever_bad_a_handful_of_bad_ones_is_noticed():
    assert anomaly(drops(*[(0, 1000)] * 8, (12, 1000)))


def test_one_drop_that_went_wrong_before_does_not_hide_the_next():
    assert anomaly(drops(*[(10, 1000)] * 8, (900, 1000), (90, 1000)))


def test_a_false_alarm_comes_less_than_once_in_a_hundred_drops():
    dice = random.Random(7)
    alarms = 0
    for _ in range(500):
        counts = [(sum(dice.random() < 0.02 for _ in range(200)), 200) for _ in range(12)]
        alarms += anomaly(drops(*counts)) is not None
    assert alarms <= 5


def test_shares_are_those_of_the_newest_drops_in_force_in_the_order_they_came(site):
    site.arrive("a.csv", "v1,3,2,1,done", "v2,99,2,1,done")
    site.arrive("b.csv", "v3,99,2,1,done")
    site.arrive("a.csv", "v1,3,2,1,done")
    found = shares(site.connection, site.store.url, "visits")
    assert [(share.key, share.bad, share.read) for share in found] == [
        ("landing/visits/2020/b.csv", 1, 1),
        ("landing/visits/2020/a.csv", 0, 1),
    ]
    assert shares(site.connection, site.store.url, "visits", "2019") == []
    assert NEWEST == 50
