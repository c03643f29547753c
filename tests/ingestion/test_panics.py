"""Nothing that a reader raises leaves the worker: a drop ends with its reason, and the others are ingested."""

import io

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lastmile.ingestion import load, micro_batch, small_drops, worker

PANIC = pl.exceptions.PanicException


def parquet(**columns):
    written = io.BytesIO()
    pq.write_table(pa.table(columns), written)
    return written.getvalue()


def unchecked(*texts):
    return pa.array(texts).view(pa.string())


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(worker, "FIRST_RETRY_WAIT", worker.FIRST_RETRY_WAIT * 0)


@pytest.mark.behaviour(number=24)
@pytest.mark.parametrize("others", [0, 2])
def test_a_text_that_is_not_utf8_quarantines_its_row_naming_column_and_bytes(site, others):
    site.under(max_bad_share=1.0).put(
        "a.parquet",
        parquet(visit=["v1", "v2", "v3"], outcome=["done", "done", None], note=unchecked(b"a", b"caf\xe9", b"b")),
    )
    for number in range(others):
        site.put_rows(f"{number}.csv", f"w{number},3,2,1,done")
    site.discover()
    site.take()
    (row,) = site.aside()
    assert row["line"] == 2
    assert row["reasons"] == [
        {
            "column": "note",
            "rule": "encoding",
            "found": "bytes that are none: 'caf\\xe9'",
            "message": "note: expected text in UTF-8; found bytes that are none: 'caf\\xe9'",
        }
    ]
    assert site.visits() == ["v1", "v3", *(f"w{number}" for number in range(others))]


@pytest.mark.behaviour(number=24)
def test_such_a_row_with_another_fault_has_both_reasons(site):
    texts = unchecked(b"done", b"caf\xe9", b"done")
    site.under(max_bad_share=1.0).put("a.parquet", parquet(visit=["v1", "v2", "v3"], persons=[3, 99, 3], outcome=texts))
    site.discover()
    site.take()
    (row,) = site.aside()
    assert [(reason["column"], reason["rule"]) for reason in row["reasons"]] == [
        ("persons", "at_most"),
        ("outcome", "allowed"),
        ("outcome", "encoding"),
    ]
    assert site.visits() == ["v1", "v3"]


@pytest.mark.behaviour(number=26)
@pytest.mark.parametrize("where", ["reading", "sending"])
def test_a_panic_ends_its_drop_as_failed_with_the_message_and_no_other(site, monkeypatch, where):
    def panicking(real):
        def call(*args):
            if any("panic" in str(arg) for arg in args):
                raise PANIC("called `Option::unwrap()` on a `None` value")
            return real(*args)

        return call

    if where == "reading":
        monkeypatch.setattr(load, "open_drop", panicking(load.open_drop))
        monkeypatch.setattr(small_drops, "open_drop", panicking(small_drops.open_drop))
    else:
        monkeypatch.setattr(load, "cleaned_key", panicking(load.cleaned_key))
        monkeypatch.setattr(micro_batch, "cleaned_key", panicking(micro_batch.cleaned_key))
    for name in ("a", "panic", "z"):
        site.put_rows(f"{name}.csv", f"{name},3,2,1,done")
    site.discover()
    site.take()
    assert site.states() == ["loaded", "failed", "loaded"]
    assert site.drops()[1]["message"] == ("Panicked: called `Option::unwrap()` on a `None` value (attempted 3 times)")
    assert site.visits() == ["a", "z"]


@pytest.mark.parametrize("order", [KeyboardInterrupt, SystemExit])
def test_an_order_to_stop_is_obeyed(site, monkeypatch, order):
    def stop(*args):
        raise order

    site.put_rows("a.csv", "v1,3,2,1,done")
    site.discover()
    monkeypatch.setattr(load, "open_drop", stop)
    with pytest.raises(order):
        site.take()
