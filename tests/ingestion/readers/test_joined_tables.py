"""Files of more than one table: exports joined into one, and tables that stand below each other as in a sheet."""

import csv
import io
from pathlib import Path

import pytest
from declaring import changed, dataset
from files import read, requiring

from lastmile.contracts import Contract, column
from lastmile.ingestion.readers import compression

AGAIN = "the header again"
ANOTHER = "found another one, with a title and a header below"


def aliased() -> Contract:
    return dataset(
        {
            "visit": column(str, "Visit.", required=True, aliases=("Visit no.", "Besuch")),
            "note": column(str, "Note.", aliases=("Remark",)),
        }
    )


@pytest.mark.parametrize(
    "again",
    [
        "visit,note,extra",
        '"visit","note","extra"',
        "VISIT,Note,EXTRA",
        " visit , note ,extra",
        "Visit no.,Remark,extra",
        "besuch,remark,something else",
        "note,visit,extra",
        "extra,note,visit",
        "\ufeffvisit,note,extra",
        '\ufeff"visit","note","extra"',
        "\ufeff\ufeffvisit,note,extra",
    ],
)
def test_a_header_further_down_is_no_row_however_it_is_written(tmp_path: Path, again: str) -> None:
    found = read(tmp_path, f"visit,note,extra\nV1,a,x\n{again}\nV2,b,y\n", contract=aliased())

    assert found.rows == [("V1", "a", "x"), ("V2", "b", "y")]
    assert AGAIN in found.reasons[3]


@pytest.mark.parametrize("row", ["visit,a,extra", "note,b,", "visit,visit,visit", "V1,note,extra", "visits,note,extra"])
def test_a_row_that_has_some_of_the_names_is_a_row(tmp_path: Path, row: str) -> None:
    assert len(read(tmp_path, f"visit,note,extra\n{row}\n", contract=aliased()).rows) == 1


def test_a_header_further_down_is_known_by_all_its_names_where_one_column_is_declared(tmp_path: Path) -> None:
    found = read(tmp_path, "id,name,value\nid,Kampala,1\nid,NAME,value\n", contract=requiring("id", optional=()))

    assert found.rows == [("id", "Kampala", "1")]
    assert list(found.reasons) == [3]


def test_the_lines_of_a_header_of_several_are_no_rows_further_down(tmp_path: Path) -> None:
    travel = requiring("id", optional=("travel_air", "travel_rail", "total"))
    header = "Id,Travel,,Total\n,Air,Rail,\n"

    found = read(tmp_path, f"Id of May,,,\n{header}1,5,6,11\n,7,8,\n{header}2,5,6,11\n", contract=travel)

    assert found.rows == [("1", "5", "6", "11"), ("", "7", "8", ""), ("2", "5", "6", "11")]
    assert [AGAIN in reason for reason in found.reasons.values()] == [True, True]


@pytest.mark.parametrize("title", ["id", "note", "n"])
def test_a_title_above_a_header_of_one_line_is_no_part_of_it(tmp_path: Path, title: str) -> None:
    found = read(tmp_path, f"{title},,\nid,note,note\n1,a,b\n{title},,\n", contract=requiring("id", optional=("x",)))

    assert found.rows == [("1", "a", "b"), (title, "", "")]


def test_a_header_in_a_file_without_one_is_no_row(tmp_path: Path) -> None:
    bare = changed(requiring("id", optional=("note",)), headerless=True)

    found = read(tmp_path, "1,a\nId,Note\n2,b\n", contract=bare)

    assert found.rows == [("1", "a"), ("2", "b")]
    assert AGAIN in found.reasons[2]


def test_a_header_further_down_without_the_delimiter_that_ends_records_is_named_as_it_is(tmp_path: Path) -> None:
    found = read(tmp_path, 'id;note\n1;a;\n"ID";"note"\n2;b;\n')

    assert found.rows == [("1", "a"), ("2", "b")]
    assert AGAIN in found.reasons[3]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("block", [3, 16, 2**12])
def test_a_mark_at_the_start_of_a_line_is_no_part_of_its_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str, block: int
) -> None:
    monkeypatch.setattr(compression, "BLOCK", block + len("\ufeff".encode(encoding)))
    text = "id,note\n1,a\n\ufeff2,b\r\n\ufeff\ufeff3,\ufeffc\n"

    found = read(tmp_path, text.encode(encoding))

    assert found.rows == [("1", "a"), ("2", "b"), ("3", "\ufeffc")]
    assert found.format["inner_marks"] == "removed"


def written(rows: list[list[str]], quoting: int, delimiter: str = ",") -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator="\n").writerows(rows)
    return out.getvalue()


@pytest.mark.parametrize("between", ["\n", ",,\n", "\n\n", ",,\n\n,,\n"])
@pytest.mark.parametrize(
    "title", ["Trips,,\n", "Trips\n", '"Trips, abroad",,\n', "Trips,,\n,,\n", "Trips,,\nof May,,\n"]
)
@pytest.mark.parametrize("header", ["who,where,when\n", "who,where,\n", '"who","where","when"\n'])
def test_what_stands_below_an_empty_line_a_title_and_a_header_is_another_table(
    tmp_path: Path, between: str, title: str, header: str
) -> None:
    data = f"id,note,more\n1,a,x\n2,,\n{between}{title}{header}Ann,Gulu,May\n"

    found = read(tmp_path, data)

    assert found.rows == [("1", "a", "x"), ("2", "", "")]
    assert found.raw == ["1,a,x", "2,,"]
    assert all(ANOTHER in reason for reason in found.reasons.values())
    assert [record.raw for record in found.broken][-2:] == [header.strip(), "Ann,Gulu,May"]


def test_another_table_of_two_columns_is_none_of_ours(tmp_path: Path) -> None:
    found = read(tmp_path, "id,note\n1,a\n,\nTrips,\nwho,where\n")

    assert found.rows == [("1", "a")]
    assert list(found.reasons) == [4, 5]


@pytest.mark.parametrize("title", ["North,,\n", "North\nof May,,\n,,\n"])
def test_a_table_goes_on_below_a_title_and_its_own_header_again(tmp_path: Path, title: str) -> None:
    found = read(tmp_path, f"id,note,more\n1,a,x\n\n{title}ID,note,MORE\n2,b,y\n\nNotes\nwho,where\nAnn,Gulu\n")

    assert found.rows == [("1", "a", "x"), ("2", "b", "y")]
    reasons = list(found.reasons.values())
    assert ANOTHER in reasons[0]
    assert [ANOTHER in reason for reason in reasons[-3:]] == [True] * 3
    assert AGAIN in reasons[-4]


@pytest.mark.parametrize(
    "below",
    [
        "\n2,,\nx,y,z\n",  # a number, not a title
        "2024-05-01,,\nx,y,z\n",  # no empty line
        "\nTotal,,\n3,c,z\n",  # records go on behind it
        "\nTotal,,\nx,7,z\n",
        "\nKampala,b,\nx,y,z\n",  # two fields, so no title
        "\nTotal,,\n",  # nothing behind it
    ],
)
def test_a_table_goes_on_where_no_other_is_seen_to_begin(tmp_path: Path, below: str) -> None:
    found = read(tmp_path, f"id,note,more\n1,a,x\n{below}")

    assert not found.broken


@pytest.mark.parametrize("block", range(20, 60, 3))
def test_where_a_file_is_cut_into_blocks_makes_no_difference_to_where_its_table_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    rows = [["id", "note", "more"], *[["1", "a", "x"]] * 3, ["", "", ""], ["2", "b", "y"], ["", "", ""]]
    rows += [["Trips", "", ""], ["", "", ""], ["of May", "", ""], ["who", "where", "when"], ["Ann", "Gulu", "May"]]
    monkeypatch.setattr(compression, "BLOCK", block)

    found = read(tmp_path, written(rows, csv.QUOTE_MINIMAL))

    assert found.rows == [("1", "a", "x")] * 3 + [("2", "b", "y")]
    assert found.lines == [2, 3, 4, 6]
    assert list(found.reasons) == [8, 10, 11, 12]
    assert found.format["empty_records"] == 2


def test_records_of_delimiters_only_are_counted_each_time_the_file_is_read(tmp_path: Path) -> None:
    found = read(tmp_path, "title,\n,\nid,note\n,\n1,a\n,\n2,\n,\n\n")

    assert found.rows == [("1", "a"), ("2", "")]
    assert found.format["empty_records"] == 3
