"""What may be at work at once: training next to anything, and nothing else that makes the same tables."""

import os
from pathlib import Path

import dagster as dg
import pytest
import yaml
from checkout import PROJECT
from dagster_private import GlobalOpConcurrencyLimitsCounter, PoolGranularity, RunOpConcurrency

from assets.definitions import defs
from lastmile.orchestration.pools import TRAINING, WAREHOUSE, limit_pools
from lastmile.orchestration.runs.worker import give_way


@pytest.fixture(scope="module")
def pools():
    """The pool of each asset that is made, by its key."""
    graph = defs.get_repository_def().asset_graph
    made = [key for key in graph.materializable_asset_keys if not graph.get(key).is_virtual]
    return {key.to_user_string(): set(graph.get(key).pools or ()) for key in made}


def test_whatever_follows_from_rows_is_made_by_one_run_at_a_time_and_models_next_to_it(pools):
    for key, found in pools.items():
        room = key.split("/")[0]
        assert found == expected_pools(room, key), key


def expected_pools(room, key):
    if room in ("raw", "cleaned", "quarantine", "champion"):
        return set()
    if room == "sources":  # a source is fetched by one run at a time, whatever else is at work
        return {key.replace("sources/", "source_")}
    return {TRAINING if room == "models" else WAREHOUSE}


def test_a_machine_of_ones_own_has_room_for_one_run_and_training():
    settings = yaml.safe_load((Path(PROJECT) / "dagster.yaml").read_text())["concurrency"]
    assert settings["runs"]["max_concurrent_runs"] == 2
    assert settings["pools"] == {"default_limit": 1, "granularity": "run"}


def test_the_first_runs_of_a_new_installation_take_turns():
    """In the first turn of the queue, where Dagster learns of the pool only while it looks."""
    concurrency = RunOpConcurrency(
        root_key_counts={WAREHOUSE: 1}, has_unconstrained_root_nodes=True, all_pools={WAREHOUSE}
    )
    runs = [dg.DagsterRun("job", run_op_concurrency=concurrency) for _ in range(2)]
    with dg.DagsterInstance.local_temp(
        overrides={"concurrency": {"pools": {"default_limit": 1, "granularity": "run"}}}
    ) as new:
        limit_pools(new)
        limit_pools(new)  # as each start of the daemon does
        storage = new.event_log_storage
        known = {one.name: one for one in storage.get_pool_limits()}
        turn = GlobalOpConcurrencyLimitsCounter(
            new, runs, [], set(known), list(known.values()), pool_granularity=PoolGranularity.RUN
        )
        assert not turn.is_blocked(runs[0])
        turn.update_counters_with_launched_item(runs[0])
        assert turn.is_blocked(runs[1])


@pytest.mark.parametrize(("pool", "expected"), [(TRAINING, 10), (WAREHOUSE, 0)])
def test_training_leaves_the_processor_to_other_runs(instance, pool, expected):
    concurrency = RunOpConcurrency(root_key_counts={pool: 1}, has_unconstrained_root_nodes=False, all_pools={pool})
    run = dg.DagsterRun("job", run_op_concurrency=concurrency)
    instance.add_run(run)
    before = os.nice(0)
    if (child := os.fork()) == 0:
        give_way(instance, run.run_id)
        os._exit(os.nice(0) - before)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == expected
