"""Uploading: a file or a stream lands under the key from which it is ingested, or nothing of it does."""

from dataclasses import replace
from io import BytesIO

import pytest

from lastmile.contracts.settings import Limits
from lastmile.errors import UserError
from lastmile.ingestion.upload import named_files, upload


def test_a_stream_and_a_file_are_ingested_from_where_they_land(site, tmp_path):
    (tmp_path / "b.csv").write_text("visit\nv2\n")
    keys = [
        upload(site.store, site.contract, "2020", "a.csv", BytesIO(b"visit\nv1\n")),
        upload(site.store, site.contract, "2020", "team 1/b.csv", tmp_path / "b.csv"),
    ]
    assert keys == ["landing/visits/2020/a.csv", "landing/visits/2020/team 1/b.csv"]
    assert site.discover() == 2
    site.take()
    assert site.visits() == ["v1", "v2"]


@pytest.mark.parametrize(
    ("partition", "name", "message"),
    [
        ("1850", "a.csv", "'1850' is outside"),
        ("soon", "a.csv", "is not a year"),
        ("2020", "../a.csv", "cannot be a name in the landing area"),
        ("2020", "a.csv.tmp", "still being written"),
        ("2020", "_temporary/a.csv", "hidden, or in a folder that is"),
    ],
)
def test_a_mistake_is_reported_and_nothing_lands(site, partition, name, message):
    with pytest.raises(UserError, match=message):
        upload(site.store, site.contract, partition, name, BytesIO(b"visit\nv1\n"))
    assert list(site.store.list("landing/")) == []


def test_a_stream_with_more_bytes_than_the_contract_allows_does_not_land(site):
    contract = replace(site.contract, limits=replace(site.contract.limits, bytes=10))
    assert isinstance(contract.limits, Limits)
    with pytest.raises(UserError, match="expected at most 10 bytes"):
        upload(site.store, contract, "2020", "a.csv", BytesIO(b"visit\n" * 1000))
    assert list(site.store.list("landing/")) == []


def test_two_files_of_one_name_are_refused_before_anything_is_uploaded(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.csv").touch()
    with pytest.raises(UserError, match=r"would both be called 'a\.csv'"):
        named_files([tmp_path / "one" / "a.csv", tmp_path / "two" / "a.csv"])
    assert list(named_files([tmp_path])) == ["one/a.csv", "two/a.csv"]
