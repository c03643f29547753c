"""The few histories that are played on every change leave out none of the faults that the many have."""

import pytest
from faults import test_histories_in_a_folder, test_histories_on_s3
from faults.choosing import few, happenings
from faults.history import history
from faults.worker import POINTS


@pytest.mark.parametrize("module", [test_histories_in_a_folder, test_histories_on_s3])
def test_whatever_happens_in_the_many_happens_in_the_few(module):
    chosen = few(module.SEEDS, module.TIMES)
    assert happen(chosen) == happen(module.SEEDS)
    assert len(chosen) < len(module.SEEDS)


def test_in_the_few_a_worker_dies_at_every_point():
    chosen = few(test_histories_in_a_folder.SEEDS, test_histories_in_a_folder.TIMES)
    assert {("die at", point) for point in POINTS} <= happen(chosen)


def happen(seeds):
    return {each for seed in seeds for each in happenings(history(seed))}
