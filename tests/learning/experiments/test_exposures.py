"""Exposures: one row for each entity, the first answer for good, all of a batch or none."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import psycopg
import pytest
from experimenting import CAUSE
from fields import FIELDS

from lastmile.learning.experiments.assignment import units
from lastmile.learning.experiments.experiment import ramp
from lastmile.learning.experiments.exposures import expose, variant_of


def of_units(rows):
    return units(rows, ["field"])


def log(connection, experiment, rows, version="1"):
    numbers = pd.DataFrame({0: 0.123456789, 1: 0.876543211}, index=rows.index)
    return expose(connection, experiment, FIELDS, rows, pd.Series(version, index=rows.index), {version: numbers})


def logged(connection):
    return connection.execute("SELECT * FROM registry.exposures").rowcount


def test_a_batch_is_logged_once_however_often_it_comes(connection, shadow, rows):
    assert [log(connection, shadow, rows.head(200)) for _ in range(2)] == [200, 0]
    assert log(connection, shadow, rows) == 100
    assert logged(connection) == 300


def test_the_first_answer_stays(connection, halves, rows):
    log(connection, halves, rows.head(1), "2")
    log(connection, halves, rows.head(1), "1")
    found = connection.execute("SELECT entity, unit, cluster, version, share, predictions FROM registry.exposures")
    first = rows.iloc[0]
    entity = [first["field"], f"{first['season']:%Y-%m-%d}"]
    assert found.fetchall() == [(entity, first["field"], first["village"], "2", 0.5, {"2": [0.123457, 0.876543]})]


def test_an_exposure_is_never_changed_or_deleted(connection, shadow, rows):
    log(connection, shadow, rows.head(1))
    for change in ("UPDATE registry.exposures SET version = '2'", "DELETE FROM registry.exposures"):
        with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
            connection.execute(change)


def test_batches_that_overlap_at_the_same_time_leave_each_row_once(database_url, connection, shadow, rows):
    def at_once(part):
        with psycopg.connect(database_url, autocommit=True) as own:
            return log(own, shadow, part)

    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(at_once, [rows, rows.head(200), rows.tail(200), rows]))
    assert sum(counts) == logged(connection) == 300


def test_in_shadow_the_control_answers_all(connection, shadow, rows):
    assert set(variant_of(connection, shadow, of_units(rows))) == {"1"}


def test_in_a_split_both_answer_and_every_process_agrees_on_whom(connection, halves, rows, database_url):
    found = variant_of(connection, halves, of_units(rows))
    assert found.value_counts().to_dict() == {"1": pytest.approx(150, abs=40), "2": pytest.approx(150, abs=40)}
    with psycopg.connect(database_url) as other:
        pd.testing.assert_series_equal(variant_of(other, halves, of_units(rows.sample(frac=1))).sort_index(), found)


def test_ramping_up_moves_nobody_back_and_leaves_those_who_were_answered(connection, halves, rows):
    early = of_units(rows.head(100))
    before = variant_of(connection, halves, of_units(rows))
    expose(connection, halves, FIELDS, rows.head(100), before.head(100), {})
    grown = ramp(connection, "halves", 0.9, CAUSE)
    after = variant_of(connection, grown, of_units(rows))
    pd.testing.assert_series_equal(after.loc[early.index], before.loc[early.index])
    assert set(after[before == "2"]) == {"2"}
    assert (after == "2").sum() > (before == "2").sum() + 50


def test_a_unit_of_several_rows_has_one_version(connection, halves, rows):
    row = rows.head(1)
    first = variant_of(connection, halves, of_units(row))
    other = "1" if first.iloc[0] == "2" else "2"
    expose(connection, halves, FIELDS, row, pd.Series(other, index=row.index), {})  # as answered under another share
    next_season = row.assign(season=pd.Timestamp(2021, 1, 1) + pd.Timedelta(days=365))
    assert list(variant_of(connection, halves, of_units(next_season))) == [other]
    assert log(connection, halves, next_season, other) == 1


@pytest.mark.parametrize("where", ["within the batch", "before the commit"])
def test_a_batch_killed_midway_leaves_nothing_and_can_be_repeated(connection, database_url, shadow, rows, where):
    script = Path(__file__).with_name("dying_exposure.py")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(script.parents[2]), *sys.path])}
    killed = subprocess.run([sys.executable, script, database_url, where], env=environment, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert logged(connection) == 0
    assert [log(connection, shadow, rows) for _ in range(2)] == [300, 0]
