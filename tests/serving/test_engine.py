"""The engine: functions in a process of its own, called by name."""

import os
import signal

import pytest

from lastmile.errors import UserError
from lastmile.serving.engine import Engine


@pytest.fixture
def engine(home):
    engine = Engine("test")
    yield engine
    engine.close()


def test_a_function_is_called_in_another_process(engine):
    other = engine.call("os:getpid")
    assert other != os.getpid()
    assert engine.call("os:getpid") == other


def test_what_a_function_prints_is_not_among_the_answers(engine):
    assert engine.call("builtins:print", sep="\n") is None
    assert engine.call("os.path:basename", p="a/b") == "b"


def test_a_person_s_mistake_is_raised_as_such_and_others_as_faults(engine):
    with pytest.raises(UserError, match="cannot be a name"):
        engine.call("lastmile.ingestion.upload:checked_name", name="../a")
    with pytest.raises(RuntimeError, match="FileNotFoundError"):
        engine.call("os:listdir", path="/nowhere")


def test_after_a_death_the_next_call_is_answered(engine):
    os.kill(engine.call("os:getpid"), signal.SIGKILL)
    assert engine.call("os.path:basename", p="a/b") == "b"
