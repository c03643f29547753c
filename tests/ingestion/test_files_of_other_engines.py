"""What Flink writes into the landing area: files that are finished, next to those that it still writes."""

from io import BytesIO

import polars as pl
from visits import Site

_FLINK = "part-6a1c2f0e-9f7b-4a55-8d0f-3c2b1e0d9a77"


def parquet(*visits: str) -> bytes:
    held = BytesIO()
    rows = {
        "visit": visits,
        "persons": [3] * len(visits),
        "hours": [2.0] * len(visits),
        "outcome": ["done"] * len(visits),
    }
    pl.DataFrame(rows).write_parquet(held)
    return held.getvalue()


def test_a_finished_file_of_flink_is_a_drop_and_one_that_it_still_writes_is_not(site: Site) -> None:
    site.put(f"{_FLINK}-0.parquet", parquet("v1", "v2"))
    site.put(f".{_FLINK}-1.parquet.inprogress.8b0e5f0e-2f3a-4d0e-9d55-0e5f1f6a7c11", parquet("v3")[:-20])
    site.discover()
    site.take()
    assert (site.visits(), site.states()) == (["v1", "v2"], ["loaded"])
    site.put(f"{_FLINK}-1.parquet", parquet("v3"))  # the checkpoint is complete, so it has its name
    site.discover()
    site.take()
    assert (site.visits(), site.states()) == (["v1", "v2", "v3"], ["loaded", "loaded"])


def test_what_is_written_twice_after_a_failure_counts_once_by_the_key_of_the_contract(site: Site) -> None:
    site.put(f"{_FLINK}-0.parquet", parquet("v1", "v2"))
    site.put(f"{_FLINK}-9.parquet", parquet("v2", "v3"))
    site.discover()
    site.take()
    assert site.visits() == ["v1", "v2", "v3"]
