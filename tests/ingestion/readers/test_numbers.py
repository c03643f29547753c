"""How it is found out whether a file writes its numbers with points or commas, and in groups or not."""

from pathlib import Path

import pytest
from declaring import changed, dataset
from files import content, read, refusal
from hypothesis import given
from hypothesis import strategies as st

from lastmile.contracts import Contract, column
from lastmile.contracts.casts import NumberFormat
from lastmile.ingestion.batch import Refused
from lastmile.ingestion.readers import open_drop
from lastmile.ingestion.readers.delimited.number_format import Evidence, evidence

COLUMNS = {
    "id": column(str, "Key.", required=True),
    "kg": column(float, "Weight."),
    "price": column(float, "Price."),
    "n": column(int, "Count."),
}
HARVEST = dataset(COLUMNS)

CELLS = st.one_of(st.from_regex(r"-?[0-9]{1,4}\.[0-9]{1,5}", fullmatch=True), st.text("0123.,-+e '\nNA", max_size=7))


def found(folder: Path, *weights: str, contract: Contract = HARVEST, price: str = "") -> NumberFormat:
    """The number format of a file with these weights."""
    lines = [f"{number};{weight};{price};1" for number, weight in enumerate(weights)]
    return NumberFormat.of(read(folder, "\n".join(["id;kg;price;n", *lines]), contract=contract).format)


@pytest.mark.parametrize(
    ("cells", "decimal", "thousands"),
    [
        (["1", "2.5"], ".", ""),
        (["1.234", "NA", "-"], ".", ""),
        (["1,5"], ",", ""),
        (["1.234", "0,5"], ",", ""),
        (["1.234,5", "7"], ",", "."),
        (["1.234.567"], ",", "."),
        (["1,234.5", "7"], ".", ","),
        (["1,234,567"], ".", ","),
        (["1 234,5"], ",", " "),
        (["1\u202f234"], ".", "\u202f"),
        (["1'234.5", "12"], ".", "'"),
        (["-0,5e3"], ",", ""),
        (["1,5 kg", "x"], ".", ""),
    ],
)
def test_cells_that_can_be_read_in_one_way_only_show_the_format_of_all(
    tmp_path: Path, cells: list[str], decimal: str, thousands: str
) -> None:
    assert found(tmp_path, *cells) == NumberFormat(decimal, thousands)


def test_a_file_with_both_is_refused_where_a_cell_depends_on_it(tmp_path: Path) -> None:
    assert "'1.234' could be either" in refusal(
        tmp_path, "id;kg;price;n\n1;1.234;0,5;1\n2;1.234;0.5;1\n", contract=HARVEST, of=Refused
    )
    assert found(tmp_path, "1.5", "2,5") == NumberFormat()


@pytest.mark.parametrize(("often", "stray", "held"), [("25.7", "1,5", "."), ("25,7", "1.5", ",")])
def test_a_stray_cell_of_the_other_kind_costs_its_row_and_not_the_file(
    tmp_path: Path, often: str, stray: str, held: str
) -> None:
    assert found(tmp_path, *[often] * 9, "2.158", stray) == NumberFormat(held)
    assert "'2.158' could be either" in refusal(
        tmp_path, "id;kg\n" + f"1;{often}\n" * 8 + f"2;2.158\n3;{stray}\n", contract=HARVEST, of=Refused
    )


def test_what_the_contract_says_of_decimals_needs_no_evidence(tmp_path: Path) -> None:
    german = changed(HARVEST, decimal=",")

    assert found(tmp_path, "1.234", contract=german) == NumberFormat(",", ".")
    assert found(tmp_path, "1.5", contract=german) == NumberFormat(",", "")
    assert found(tmp_path, "1,234", contract=changed(HARVEST, decimal=".")) == NumberFormat(".", ",")


def test_texts_are_no_evidence(tmp_path: Path) -> None:
    assert NumberFormat.of(read(tmp_path, "id;kg\n1,5;2.5\n", contract=HARVEST).format) == NumberFormat()


def test_a_comma_far_down_refuses_what_points_before_it_could_have_meant(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("id;kg\n" + "1;1.234\n" * 3_000 + "2;0,5\n")
    reader = open_drop(tmp_path / "file", "visits.csv", HARVEST)

    with pytest.raises(Refused, match=r"line 3002: .*'0,5' with a comma, so that '1.234' in line 2 could be either"):
        content(reader, rows=500)


def test_a_comma_far_down_costs_its_row_only_where_points_are_known_for_decimals(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("id;kg\n" + "1;1.234\n2;1.5\n" * 3_000 + "2;0,5\n")

    assert len(content(open_drop(tmp_path / "file", "visits.csv", HARVEST)).rows) == 6_001


@given(st.lists(CELLS, max_size=12))
def test_a_column_shows_what_its_cells_show_one_by_one(cells):
    contract = changed(HARVEST, columns={"kg": column(float, "Weight.")})
    shown, expected = evidence(["kg"], [[cell] for cell in cells], contract).get("kg", Evidence()), Evidence()
    for cell in map(str.strip, cells):
        if cell and cell not in contract.missing("kg"):
            expected.add(cell, 1)
    for kind in ("points", "commas", "either"):
        assert sorted(getattr(shown, kind)) == sorted(getattr(expected, kind))
    assert shown.groups - {""} == expected.groups - {""}
