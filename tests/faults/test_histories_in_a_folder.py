"""Seeded histories on a folder of objects: workers die, stall, lose their sessions; nothing is lost or doubled."""

import pytest
from faults.history import history
from faults.playing import Play, assure, hasty, pictured, told

HERE = "tests/faults/test_histories_in_a_folder.py"
SEEDS = range(160)
#: In how many of the histories that `make test` plays each fault strikes: planned once, it may come too late to hit.
TIMES = 3


@pytest.fixture(scope="module")
def stage(make_stage, tmp_path_factory):
    return make_stage((tmp_path_factory.mktemp("store") / "objects").as_uri())


def test_a_history_ends_correctly_whatever_fails(stage, seed):
    play = Play(stage, history(seed))
    assure(play, play.with_faults, HERE)


def test_an_orderly_history_ends_as_it_does_without_faults(stage, orderly_seed):
    play, calm = Play(stage, history(orderly_seed)), Play(stage, history(orderly_seed))
    assure(play, play.with_faults, HERE)
    ended = told(pictured(stage))
    with hasty():
        assure(calm, calm.without, HERE)
    assert ended == told(pictured(stage)), "\n".join(play.history.lines())
