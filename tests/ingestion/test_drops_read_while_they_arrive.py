"""A large drop of a bucket is loaded while it is downloaded, with the same result as one that was there as a whole."""

import gzip
import threading
from hashlib import sha256
from io import BytesIO
from zipfile import ZipFile

import polars as pl
import pytest
from visits import HEADER, Site

from lastmile.ingestion import load
from lastmile.store import transfer

pytestmark = pytest.mark.every_store


@pytest.fixture(autouse=True)
def all_arrive(monkeypatch):
    monkeypatch.setattr(transfer, "RANGE_BYTES", 64)


def rows(first: int, count: int = 40) -> list[str]:
    return [f"v{number:03},3,2,1,done" for number in range(first, first + count)]


def loads(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether the drop of each load was compared with others before its rows were read."""
    found = []
    load_file = load._load_file

    def noted(*arguments, is_compared=True):
        found.append(is_compared)
        return load_file(*arguments, is_compared)

    monkeypatch.setattr(load, "_load_file", noted)
    return found


def is_bucket(site: Site) -> bool:
    return not site.store.url.startswith("file:")


def body_of(*lines: str) -> bytes:
    return "\n".join([HEADER, *lines, ""]).encode()


def test_a_new_drop_is_loaded_while_it_arrives(site, monkeypatch):
    compared = loads(monkeypatch)
    lines = (*rows(0), "v999,bad,2,1,done")
    outcome = site.arrive("a.csv", *lines)
    assert (outcome.state, outcome.loaded, outcome.quarantined) == ("loaded", 40, 1)
    assert site.drops()[0]["sha256"] == sha256(body_of(*lines)).hexdigest()
    assert compared == [not is_bucket(site)]


@pytest.mark.behaviour(number=16)
def test_one_of_the_size_of_another_is_compared_with_it_first(site, monkeypatch):
    site.arrive("a.csv", *rows(0))
    compared = loads(monkeypatch)
    assert site.arrive("b.csv", *rows(0)).state == "duplicate"
    assert compared == []
    assert site.arrive("c.csv", *rows(100)).loaded == 40
    assert compared == [True]


@pytest.mark.behaviour(number=15)
def test_a_new_version_is_compared_with_the_old_one_first_and_replaces_it(site, monkeypatch):
    site.arrive("a.csv", *rows(0))
    compared = loads(monkeypatch)
    assert site.arrive("a.csv", *rows(100, 30)).loaded == 30
    assert compared == [True]
    assert [drop["state"] for drop in site.drops()] == ["superseded", "loaded"]
    assert len(site.visits()) == 30


@pytest.mark.behaviour(number=16)
@pytest.mark.parametrize(
    ("policy", "state", "remark"), [("skip", "duplicate", "says to skip"), ("load", "loaded", "although drop 1")]
)
def test_one_whose_bytes_another_drop_loads_meanwhile_is_what_its_contract_says(
    site, monkeypatch, policy, state, remark
):
    site.under(same_content=policy, duplicates="keep").arrive("a.csv", *rows(0))
    compared = loads(monkeypatch)
    # as though the other one had been registered just after
    monkeypatch.setattr(load.ledger, "lock_unlike_others", lambda *_: True)
    outcome = site.arrive("b.csv", *rows(0))
    assert (outcome.state, len(site.visits())) == (state, 40 if policy == "skip" else 80)
    assert remark in site.drops()[1]["message"]
    if is_bucket(site):
        assert compared[0] is False


@pytest.mark.behaviour(number=17)
def test_an_object_replaced_while_it_arrives_leaves_no_rows(site, monkeypatch):
    if not is_bucket(site):
        pytest.skip("a file is linked or copied")
    monkeypatch.setattr(transfer, "PARALLEL_RANGES", 1)
    ranges = transfer.ranges
    key = site.put_rows("a.csv", *rows(0))
    site.discover()

    def replaced_after_the_first(*arguments):
        found = ranges(*arguments)
        yield next(found)
        site.store.put(key, body_of(*rows(100)))
        yield from found

    with monkeypatch.context() as patched:
        patched.setattr(transfer, "ranges", replaced_after_the_first)
        assert [outcome.state for outcome in site.take()] == ["superseded"]
    assert (site.visits(), site.aside(), site.cleaned()) == ([], [], [])
    site.discover()
    site.take()
    assert site.visits()[0] == "v100"


def test_a_refused_drop_ends_its_download(site):
    site.put("a.csv", b"nothing,like,it\n" + b"1,2,3\n" * 1_000)
    site.discover()
    assert [outcome.state for outcome in site.take()] == ["quarantined"]
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("fetch")] == []


def test_one_over_its_threshold_leaves_no_cleaned_file(site, monkeypatch):
    monkeypatch.setattr(transfer, "PART_BYTES", 100)
    outcome = site.under(max_bad_share=0.1).arrive("a.csv", *rows(0), *["v0,bad,2,1,done"] * 40)
    assert outcome.state == "quarantined"
    assert (site.visits(), site.cleaned()) == ([], [])


@pytest.mark.parametrize("name", ["a.csv.gz", "a.zip", "a.parquet", "a.jsonl"])
def test_a_drop_of_any_format_may_arrive(site, name):
    frame = pl.read_csv(body_of(*rows(0)), infer_schema=False)
    match name:
        case "a.csv.gz":
            body = gzip.compress(frame.write_csv().encode())
        case "a.zip":
            file = BytesIO()
            with ZipFile(file, "w") as archive:
                archive.writestr("a.csv", frame.write_csv())
            body = file.getvalue()
        case "a.parquet":
            frame.write_parquet(file := BytesIO())
            body = file.getvalue()
        case _:
            body = frame.write_ndjson().encode()
    site.put(name, body)
    site.discover()
    (outcome,) = site.take()
    assert (outcome.state, outcome.loaded) == ("loaded", 40)
