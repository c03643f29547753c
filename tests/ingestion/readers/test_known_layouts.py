"""What was found about a file is used for the next with its header line only where a search would find the same."""

from datetime import date
from itertools import count

import pandera.polars as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastmile.contracts import Contract, Partition, field
from lastmile.ingestion.batch import Refused
from lastmile.ingestion.readers import open_drop
from lastmile.ingestion.readers.delimited import known_layouts
from lastmile.ingestion.readers.delimited.dialect import find_layout


class Plots(pa.DataFrameModel):
    plot: str = field("Plot.")
    crop: str | None = field("Crop.")
    area: float | None = field("Area.", unit="ha")
    note: str | None = field("Note.", aliases=("remark",))


PLOTS = Contract(
    name="plots",
    description="Plots.",
    owner="team:field",
    partition=Partition("year", start=date(2020, 1, 1)),
    schema=Plots,
)
HEADER = ["plot", "crop", "area", "note"]
RECORD = ["p1", "maize", "1.25", "dry"]


def written(*records, delimiter=","):
    return "".join(delimiter.join(record) + "\n" for record in records)


def outcome(path, text):
    """All that a reader says of a file, or why it refuses it."""
    path.write_bytes(text.encode())
    try:
        reader = open_drop(path, "plots.csv", PLOTS)
        batches = list(reader.batches())
    except Refused as refused:
        return str(refused)
    return (
        reader.header,
        reader.format,
        [(batch.frame.rows(), batch.lines.to_list(), list(batch.broken)) for batch in batches],
    )


@pytest.fixture
def searches(monkeypatch):
    """The layouts searched for, from none known on."""
    found = []
    known_layouts._known.clear()
    monkeypatch.setattr(
        known_layouts, "find_layout", lambda sample, declared: found.append(sample) or find_layout(sample, declared)
    )
    return found


def cold_and_warm(folder, first, text):
    known_layouts._known.clear()
    cold = outcome(folder / "cold", text)
    known_layouts._known.clear()
    outcome(folder / "first", first)
    return cold, outcome(folder / "warm", text)


@pytest.mark.parametrize(
    "record",
    [
        ["p2", "beans", "0.5", ""],
        ["p2", '"beans, dried"', "0.5", '"she said ""no"""'],
        ["p2", "beans", "0.5", "don't know"],
        ["p2", "beans", "0.5", "first; then"],
        ["p2", "", "-9", "on 12 May 2021"],
        ["p2", "haricots séchés", "0.5", "à l\u2019est"],
    ],
)
def test_an_ordinary_file_with_a_known_header_needs_no_search(tmp_path, searches, record):
    cold, warm = cold_and_warm(tmp_path, written(HEADER, RECORD), written(HEADER, RECORD, record))
    assert cold == warm
    assert len(searches) == 2


@pytest.mark.parametrize(
    "below",
    [
        'p2,beans,"0,5",x\n',
        'p2,beans,"1.000,5",x\n',
        "p2,beans,1 000,x\n",
        "p2,beans,1'000,x\n",
        "p2,beans,1\u00a0000,x\n",
        "p2,beans,1\u202f000.5,x\n",
        "p2,beans,1.000.000,x\n",
        "p2,beans,1.0,x,\np3,beans,1.0,x,\n",
        "p2,beans,1.0,x,\n",
        "r1,p2,beans,1.0,x\n",
        "p2,beans,1.0,'a, b'\n",
        "p2,beans,1.0,'x'\np3,beans,1.0,'y'\n",
        'p2,beans,1.0,5" pipe\n',
        'p2,beans,1.0,"a \\"b\\""\n',
        "plot,crop,area,remark\np2,beans,1.0,x\n",
        "plot,crop,area,note\np2,beans,1.0,x\n",
        ",,ha,\np2,beans,1.0,x\n",
        "p2,be;ans,1.0,plot;crop;area;note\n",
        "plot;crop;area;note\np2;x;1.0;y\n",
        "plot|crop|area|note\n",
        "\n\nOther table\n\ncode,name\n1,x\n",
        ",,,\np2,beans,1.0,x\n",
        "p2,beans\n",
        'p2,"beans,1.0,x\np3,beans,1.0,x\n',
        "p2,beans,1.0,x\r\np3,beans,1.0,x\r\n",
        "",
    ],
)
@pytest.mark.parametrize("before", ["", "\n\n", "Plots of 2020\n"])
def test_whatever_follows_a_known_header_is_read_as_though_the_header_were_new(tmp_path, below, before):
    cold, warm = cold_and_warm(tmp_path, written(HEADER, RECORD), f"{before}{written(HEADER)}{below}")
    assert cold == warm


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
@pytest.mark.parametrize("cell", ["1,5", "1 000", "1.5", '"1,5"', "'1,5'"])
def test_so_is_a_file_with_another_delimiter(tmp_path, delimiter, cell):
    first = written(HEADER, RECORD, delimiter=delimiter)
    cold, warm = cold_and_warm(tmp_path, first, written(HEADER, ["p2", "x", cell, "a,b"], delimiter=delimiter))
    assert cold == warm


@pytest.mark.parametrize(
    "first", [written(["plot", "other"], ["p1", "x"]), written(["plot", "", "crop"], ["p1", "x", "y"])]
)
@pytest.mark.parametrize("below", ["p2,x\n", ",crop\n", "name,crop,x\np2,1,2\n"])
def test_so_is_a_file_whose_header_may_go_on_below(tmp_path, first, below):
    cold, warm = cold_and_warm(tmp_path, first, first.splitlines(keepends=True)[0] + below)
    assert cold == warm


PIECES = st.sampled_from(
    [*',,,,;\t|""\'\\ \n\n\r', "plot", "crop", "note", "p1", "1.5", "1,5", "1 000", "1.000", "é", "\u00a0", "''", '""']
)


@given(
    st.lists(PIECES, max_size=40).map("".join),
    st.lists(st.lists(PIECES, max_size=3).map("".join), min_size=4, max_size=4),
    st.sampled_from([",", ";"]),
)
def test_no_text_is_read_otherwise_for_its_header_being_known(tmp_path_factory, tail, cells, delimiter):
    folder = tmp_path_factory.getbasetemp() / f"known-{next(_folders)}"
    folder.mkdir()
    first = written(HEADER, RECORD, delimiter=delimiter)
    cold, warm = cold_and_warm(folder, first, written(HEADER, cells, delimiter=delimiter) + tail)
    assert cold == warm


_folders = count()
