"""A training killed with SIGKILL at any step leaves the old state or the new one, and once repeated the new one."""

import multiprocessing
import signal

import psycopg
import pytest
from dying_training import POINTS, train

from lastmile.learning.registry.deployments import champion
from lastmile.learning.registry.events import history
from lastmile.learning.registry.judgements import last
from lastmile.learning.registry.versions import load, versions
from lastmile.store import Store

#: What a training imports is imported once, in a process that the trainings are forked from.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["dying_training"])


def assert_whole(connection: psycopg.Connection, store: Store) -> None:
    """Each version has its files, a judgement says what there is, and the champion's history is unbroken."""
    for version in versions(connection, "fields"):
        load(store, version)
        assert version.snapshot_key is not None
        assert store.exists(version.snapshot_key)
        assert store.exists(str(version.held_out_key))
    events = [event for event in reversed(history(connection, "fields")) if event["event"] == "promoted"]
    current = champion(connection, "fields")
    assert [event["version"] for event in events[-1:]] == ([current.version] if current else [])
    assert [event["previous"] for event in events] == [None, *(event["version"] for event in events)][: len(events)]


@pytest.mark.parametrize("where", POINTS)
def test_a_training_killed_at_any_step_leaves_nothing_by_halves(
    connection: psycopg.Connection, database_url: str, store: Store, where: str
) -> None:
    training = _FORKS.Process(target=train, args=(database_url, store.url, where))
    training.start()
    training.join()
    assert training.exitcode == -signal.SIGKILL
    assert_whole(connection, store)
    train(database_url, store.url)
    assert_whole(connection, store)
    assert [version.version for version in versions(connection, "fields")] == ["1"]
    current, judged = champion(connection, "fields"), last(connection, "fields", "1")
    assert current is not None
    assert judged is not None
    assert (current.version, judged.decision) == ("1", "promote")
    assert [event["event"] for event in reversed(history(connection, "fields"))] == ["registered", "promoted"]
