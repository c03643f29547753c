"""What a draft says of the whole: names, keys, partitions, layouts, and files that differ."""

import ast
import gzip
from pathlib import Path

import polars as pl
import pytest
from drafts import columns_of, drafted, is_clean, loaded, of_sources, text_of

from lastmile.errors import UserError
from lastmile.ingestion.draft import draft, files_in, of_frames, open_file
from lastmile.ingestion.draft.render import literal


def written(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(encoding))
    return path


def rows(number: int, cells: str = "{n},{n}.5") -> str:
    return "".join(cells.format(n=n) + "\n" for n in range(number))


def test_names_are_safe_for_sql_and_python_and_find_their_headers(tmp_path):
    headers = ["Visit No.", "class", "2nd visit", "Ménage", "validate", "unitPrice", "x" * 90, "दिल"]
    file = written(tmp_path / "a.csv", ",".join(headers) + "\n" + ",".join("abcdefgh") + "\n")
    contract = drafted(file)
    assert list(contract.columns)[:6] == [
        "visit_no", "class_value", "column_2nd_visit", "menage", "validate_value", "unit_price",
    ]  # fmt: skip
    assert loaded(contract, file) == (1, 0, 0)


def test_columns_called_as_types_hide_none_of_them(tmp_path):
    file = written(tmp_path / "a.csv", "str,date,time,int,field\nx,2024-01-01,08:00,4,y\nz,2024-01-02,09:00,5,y\n")
    contract = drafted(file)
    assert [kind.name for kind in contract.kinds.values()] == ["text", "date", "time of day", "whole number", "text"]
    assert loaded(contract, file) == (2, 0, 0)


@pytest.mark.parametrize("sign", ["世", "กิ"])
@pytest.mark.parametrize("length", range(20, 45))
def test_lines_with_wide_characters_and_marks_are_as_long_as_linters_count(tmp_path, sign, length):
    file = written(tmp_path / "a.csv", f"visit,{sign * length}\na,x\n")
    assert is_clean(text_of(file))


@pytest.mark.parametrize("header", ["""5" or 6'""", """5" by 6" or '7""", """5" or '6' \\'""", "'6'", '"6"', "a\\"])
def test_quotes_in_headers_are_written_as_ruff_would(header):
    text = draft(
        [of_frames("a table", ["visit", header], lambda: [pl.DataFrame({"visit": ["a"], header: ["x"]})])], "v"
    )
    assert is_clean(text)
    assert f"aliases=({literal(header)},)" in text
    assert ast.literal_eval(literal(header)) == header


def test_headers_that_differ_in_case_and_blanks_are_one_column(tmp_path):
    first = written(tmp_path / "1.csv", "VisitNo,Hours\n1,2.5\n")
    second = written(tmp_path / "2.csv", "visit no,hours\n2,3.5\n")
    contract = drafted(first, second)
    assert list(contract.columns) == ["visit_no", "hours"]
    assert loaded(contract, first, second) == (2, 0, 0)


def test_a_column_of_some_files_only_is_optional_and_remarked(tmp_path):
    first = written(tmp_path / "1.csv", "visit,hours\n" + rows(5))
    second = written(tmp_path / "2.csv", "visit,hours,note\n" + rows(5, "{n}0,{n}.5,x"))
    text = text_of(first, second)
    assert "in 1 of 2 files only\n    note: str | None" in text


@pytest.mark.parametrize(("sign", "other"), [(",", "."), (".", ",")])
def test_numbers_of_a_file_have_one_decimal_sign_as_far_as_they_show_one(tmp_path, sign, other):
    header = "visit;area;grouped;sold;harvest_kg;price\n"
    rows = (f"a;1{sign}5;2 007{sign}50;12 345;4;1{other}5\n", f"b;0{sign}5;12;7;5;0{other}5\n")
    file = written(tmp_path / "a.csv", header + "".join(rows))
    contract = drafted(file)
    assert columns_of(contract) == {
        **dict.fromkeys(("visit", "price"), "text"),
        **dict.fromkeys(("area", "grouped", "sold", "harvest_kg"), "number"),
    }
    assert contract.format.decimal == sign
    assert loaded(contract, file) == (2, 0, 0)


def test_columns_of_one_name_are_left_to_the_rescued(tmp_path):
    file = written(tmp_path / "a.csv", "visit,note,note\na,b,c\n")
    contract = drafted(file)
    assert list(contract.columns) == ["visit"]
    assert loaded(contract, file) == (1, 0, 0)


def test_columns_that_differ_by_a_sign_are_called_by_it(tmp_path):
    header = "visit,harvest,harvest %,Income (€),Income ($),Children <5,Children >5"
    file = written(tmp_path / "a.csv", f"{header}\na,1,2,3,4,5,6\n")
    contract = drafted(file)

    assert list(contract.columns) == [
        *("visit", "harvest", "harvest_pct", "income_euro", "income_dollar", "children_under_5", "children_over_5")
    ]
    assert loaded(contract, file) == (1, 0, 0)


def test_files_of_two_tables_are_refused_naming_both(tmp_path):
    first = written(tmp_path / "visits.csv", "visit,hours\na,1\n")
    second = written(tmp_path / "prices.csv", "article,price\nb,2\n")
    with pytest.raises(UserError, match=r"visits.csv.*prices.csv"):
        drafted(first, second)


def test_the_key_is_the_smallest_set_of_columns_that_tells_rows_apart(tmp_path):
    table = "hhid,crop,year\n" + "".join(
        f"h{n},{crop},2024\n" for n in range(40) for crop in ("maize", "beans", "rice")
    )
    assert drafted(written(tmp_path / "crop.csv", table)).key == ("hhid", "crop")


def test_a_repeated_row_leaves_no_key_and_nothing_is_lost(tmp_path):
    file = written(tmp_path / "a.csv", "hhid,n\n" + "".join(f"h{n},{n}\n" for n in [*range(40), 7]))
    contract = drafted(file)
    assert contract.key == ()
    assert loaded(contract, file) == (41, 0, 0)


def test_the_same_key_in_two_partitions_is_no_repetition(tmp_path):
    files = [written(tmp_path / f"year={year}/h.csv", "hhid,n\n" + rows(9, "h{n},{n}")) for year in (2021, 2022)]
    contract = drafted(*files)
    assert contract.key == ("hhid",)
    assert (contract.partition.unit, contract.partition.start.year) == ("year", 2021)


def test_a_repetition_beyond_the_sample_is_found(monkeypatch):
    monkeypatch.setattr("lastmile.ingestion.draft.keys.CELLS", 400)
    ids = [f"h{n}" for n in range(5_000)]
    frame = pl.DataFrame({"hhid": [*ids, "h7"], "n": ["1"] * 5_001})
    assert of_sources([of_frames("h", frame.columns, lambda: frame.iter_slices(500))]).key == ()


@pytest.mark.parametrize(
    ("name", "unit", "start"),
    [
        ("2010-12-05.csv", "day", "2010-01-01"),
        ("sales_201203.csv", "month", "2012-01-01"),
        ("wave_2019.csv", "year", "2019-01-01"),
    ],
)
def test_a_partition_is_read_off_the_name_of_a_file(tmp_path, name, unit, start):
    partition = drafted(written(tmp_path / name, "visit,hours\n" + rows(3))).partition
    assert (partition.unit, str(partition.start)) == (unit, start)


def test_a_partition_is_read_off_a_date_in_every_row(tmp_path):
    table = "visit_id,day\n" + "".join(f"{n},2021-{1 + n // 28:02}-{1 + n % 28:02}\n" for n in range(120))
    partition = drafted(written(tmp_path / "a.csv", table)).partition
    assert (partition.unit, str(partition.start), partition.column) == ("month", "2021-01-01", "day")


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("visit;hours;note\nV1;1,5;été\nV2;2,25;b\n", "cp1252"),
        ("visit\thours\tnote\nV1\t1.5\tété\nV2\t2.25\tb\n", "utf-16"),
        ("A title\n\nvisit,hours,note\nV1,1.5,été\nV2,2.25,b\n", "utf-8"),
        ("visit|hours|note|\nV1|1.5|été|\nV2|2.25|b|\n", "utf-8"),
        ("'visit','hours','note'\n'V1','1.5','été'\n'V2','2.25','b'\n", "utf-8"),
        ('visit,hours,note\r\nV1,1.5,"é\nté"\r\nV2,2.25,b\r\n', "utf-8-sig"),
    ],
)
def test_a_table_is_drafted_alike_in_any_dialect_and_encoding(tmp_path, text, encoding):
    file = written(tmp_path / "a.csv", text, encoding)
    contract = drafted(file)
    assert [name for name in contract.columns if not name.startswith("column")] == ["visit", "hours", "note"]
    assert contract.kinds["hours"].name == "number"
    assert loaded(contract, file) == (2, 0, 0)


def test_a_table_is_drafted_alike_in_any_format(tmp_path):
    frame = pl.DataFrame({"visit": ["V1", "V2"], "hours": [1.5, 2.25], "persons": [3, None]})
    text = frame.write_csv()
    files = [written(tmp_path / "a.csv", text), tmp_path / "a.csv.gz", tmp_path / "a.parquet", tmp_path / "a.json"]
    files[1].write_bytes(gzip.compress(text.encode()))
    frame.write_parquet(files[2])
    frame.write_json(files[3])
    files.append(tmp_path / "a.jsonl")
    frame.write_ndjson(files[4])
    for file in files:
        contract = drafted(file)
        assert {name: kind.name for name, kind in contract.kinds.items()} == {
            "visit": "text", "hours": "number", "persons": "whole number",
        }  # fmt: skip
        assert loaded(contract, file) == (2, 0, 0)
    assert loaded(drafted(*files), *files) == (10, 0, 0)


def test_a_file_without_a_header_gets_columns_by_place(tmp_path):
    file = written(tmp_path / "a.csv", "V1,1.5,2024-01-01\nV2,2.5,2024-01-02\n")
    contract = drafted(file)
    assert contract.format.headerless
    assert loaded(contract, file) == (2, 0, 0)


def test_broken_records_are_counted_and_the_others_load(tmp_path):
    file = written(tmp_path / "a.csv", "visit,hours\n" + rows(20) + "too,many,fields\n")
    assert "20 rows load, 1 records are broken" in text_of(file)


@pytest.mark.parametrize(
    ("text", "why"), [("", "no records"), ("visit,hours\n", "header only"), ("\x00\x01\x02" * 99, "")]
)
def test_a_file_to_draft_nothing_from_is_refused_by_name(tmp_path, text, why):
    with pytest.raises(UserError, match=rf"a\.csv: .*{why}"):
        drafted(written(tmp_path / "a.csv", text))


def test_a_folder_stands_for_the_files_in_it(tmp_path):
    files = [
        written(tmp_path / "in" / name, "visit\na\n")
        for name in ("1.csv", "deep/2.csv", ".hidden", "_delta_log/0.json")
    ]
    assert files_in([tmp_path / "in"]) == files[:2]
    with pytest.raises(UserError, match="no file or folder"):
        files_in([tmp_path / "nothing"])


def test_what_is_not_a_file_is_drafted_alike():
    frame = pl.DataFrame({"visit": ["V1", "V2"], "hours": ["1.5", "2"]})
    stream = of_frames("a stream", frame.columns, lambda: [frame, frame.with_columns(visit=pl.col("visit") + "b")])
    text = draft([stream], "visits")
    assert "hours: float" in text
    assert "4 rows load" in text


def test_every_row_is_reported_as_it_is_read(tmp_path):
    done: list[int] = []
    draft([open_file(written(tmp_path / "a.csv", "visit,hours\n" + rows(20)))], "visits", done.append)
    assert sum(done) >= 40
