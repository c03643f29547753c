"""Small drops that are parsed together have the rows, lines and faults that each has when it is read by itself."""

from dataclasses import replace
from random import Random
from uuid import uuid4

import pytest
from visits import HEADER, VISITS

from lastmile.contracts.settings import Limits
from lastmile.ingestion.readers import open_drop
from lastmile.ingestion.readers.delimited import records
from lastmile.ingestion.small_drops import read_batch
from lastmile.ledger import Drop

CELLS = ("1", "2.5", "", "done", '"a, b"', '"say ""no"""', "é", '"two\nlines"', '"', 'x"y', "NA", " 7 ")
ENDS = ("\n", "\n", "\n", "\r\n", "\n\n", ",\n", "\r\r\n")


def body(random: Random) -> bytes:
    columns = HEADER.count(",") + 1
    lines = [HEADER + random.choice(("\n", "\n", "\r\n"))]
    for _ in range(random.randint(0, 12)):
        cells = [random.choice(CELLS[:7]) for _ in range(columns)]
        if random.random() < 0.1:
            cells[random.randrange(columns)] = random.choice(CELLS)
        if random.random() < 0.03:
            lines.append(HEADER + "\n")
        if random.random() < 0.05:
            cells.append("more")
        lines.append(",".join(cells) + random.choice(ENDS if random.random() < 0.1 else ENDS[:3]))
    text = "".join(lines)
    return (text if random.random() < 0.7 else text.rstrip("\n")).encode(
        "cp1252" if random.random() < 0.05 else "utf-8"
    )


def stored(store, bodies):
    drops = []
    for number, content in enumerate(bodies):
        key = f"landing/visits/2020/{number}.csv"
        store.put(key, content)
        one = store.head(key)
        drops.append(
            Drop(number + 1, "visits", "2020", key, one.version, one.size, one.modified_at, 1, uuid4(), "claimed", None)
        )
    return drops


def pictured(reader, batches):
    return [
        (
            batch.frame.rows(),
            batch.frame.columns,
            batch.lines.to_list(),
            list(batch.broken),
            list(batch.faults),
            batch.raw(list(range(batch.frame.height))),
        )
        for batch in batches
    ], reader.format


@pytest.mark.parametrize("seed", range(12))
def test_drops_parsed_together_are_what_each_is_by_itself(store, tmp_path, seed):
    random = Random(seed)
    bodies = [body(random) for _ in range(40)]
    read = read_batch(store, VISITS, stored(store, bodies), tmp_path, {})
    assert len(read) > 10
    for number, one in read.items():
        (tmp_path / "file").write_bytes(bodies[number - 1])
        reader = open_drop(tmp_path / "file", one.drop.key, VISITS)
        expected, described = pictured(reader, reader.batches())
        found, _ = pictured(reader, [one.batch])
        assert (found, dict(one.format)) == (expected, described)


def test_drops_of_a_form_are_parsed_by_one_call(store, tmp_path, monkeypatch):
    calls = []
    parsed = records.pl.read_csv

    def counted(*arguments, **options):
        calls.append(arguments)
        return parsed(*arguments, **options)

    monkeypatch.setattr(records.pl, "read_csv", counted)
    drops = stored(store, [f"{HEADER}\nv{number},3,2,1,done\n".encode() for number in range(50)])
    read = read_batch(store, VISITS, drops, tmp_path, {})
    assert [one.batch.frame["visit"].to_list() for one in read.values()] == [[f"v{number}"] for number in range(50)]
    assert len(calls) <= 5


def test_more_rows_than_the_limit_are_left_to_be_refused_individually(store, tmp_path):
    drops = stored(store, [f"{HEADER}\nv1,3,2,1,done\nv2,3,2,1,done\n".encode(), f"{HEADER}\nv3,3,2,1,done\n".encode()])
    contract = replace(VISITS, limits=Limits(rows=1))
    assert list(read_batch(store, contract, drops, tmp_path, {})) == [2]
