"""Re-ingesting single drops: requested for all of them or none, and carried out by the next run."""

import pytest

from lastmile.errors import UserError
from lastmile.ledger import reingest


@pytest.fixture
def drops(site):
    """Drop 1 is loaded, drop 2 is waiting."""
    site.arrive("a.csv", "v1,3,2,1,done")
    site.put_rows("b.csv", "v2,3,2,1,done")
    site.discover()
    return site


@pytest.mark.behaviour(number=29)
def test_a_loaded_drop_is_re_ingested_by_the_next_run_with_the_same_result(drops):
    drops.take()
    for _ in range(2):
        reingest(drops.connection, drops.store.url, [1])
        (outcome,) = drops.take(run_id="again")
        assert (outcome.loaded, drops.visits()) == (1, ["v1", "v2"])
    assert drops.query("SELECT _run_id FROM raw.visits WHERE visit = 'v1'") == [{"_run_id": "again"}]
    events = [event["message"] for event in drops.query("SELECT message FROM ledger.events WHERE drop_id = 1")]
    assert events.count("re-ingest requested") == 2


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ([1, 99], "no drop 99 in"),
        ([1, 2], r"drop 2 \(.*b.csv\) is discovered and cannot be re-ingested: it is waiting"),
    ],
)
def test_a_mistake_is_reported_and_nothing_is_requested(drops, wanted, message):
    with pytest.raises(UserError, match=message):
        reingest(drops.connection, drops.store.url, wanted)
    assert [drop["retake"] for drop in drops.drops()] == [None, None]


def test_a_drop_of_another_store_is_unknown(drops):
    with pytest.raises(UserError, match="no drop 1 in s3://elsewhere"):
        reingest(drops.connection, "s3://elsewhere", [1])
