"""How drops of delimited text are read: which dialect, which encoding, what becomes of what does not fit."""

import bz2
import gzip
import lzma
import subprocess
import sys
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from declaring import changed, dataset
from files import VISITS, content, read, refusal, requiring
from hypothesis import given
from hypothesis import strategies as st

from lastmile.contracts import Contract, column
from lastmile.contracts.settings import Limits
from lastmile.ingestion.batch import Refused, Unreadable
from lastmile.ingestion.readers import compression, open_drop
from lastmile.ingestion.readers.delimited.encoding import without_c1

LONGEST = Limits().record_bytes


@pytest.mark.parametrize("delimiter", list(",;\t|:^~\x01 "))
def test_any_sane_delimiter_is_found_by_the_header_that_fits(tmp_path: Path, delimiter: str) -> None:
    found = read(tmp_path, f"id{delimiter}note\n1{delimiter}a\n")

    assert found.rows == [("1", "a")]
    assert found.format["delimiter"] == delimiter


def test_a_blank_after_each_comma_does_not_make_a_second_reading(tmp_path: Path) -> None:
    assert read(tmp_path, "id, note\n1, a\n").rows == [("1", " a")]


def test_names_are_matched_in_any_case_and_order_and_unknown_columns_are_kept(tmp_path: Path) -> None:
    found = read(tmp_path, "Extra;NOTE;Id\nx;a;1\n")

    assert found.header == ["Extra", "NOTE", "Id"]
    assert found.rows == [("x", "a", "1")]


def test_two_delimiters_that_both_fit_and_differ_are_refused(tmp_path: Path) -> None:
    message = refusal(tmp_path, "id|a;id\n1|2;3\n", of=Refused)

    assert "';' and '|'" in message


def test_a_missing_required_column_is_named_beside_those_found(tmp_path: Path) -> None:
    message = refusal(tmp_path, "hid,note\n1,a\n", of=Refused)

    assert "'id'" in message
    assert "['hid', 'note']" in message


def test_what_is_no_text_is_unreadable(tmp_path: Path) -> None:
    assert "control characters" in refusal(tmp_path, bytes(range(128)) * 20, of=Unreadable)
    assert "utf-8 or cp1252" in refusal(tmp_path, bytes(range(256)) * 20, of=Unreadable)


def test_a_column_named_twice_is_refused_when_the_contract_knows_it_and_told_apart_when_not(tmp_path: Path) -> None:
    assert "'id' and 'ID'" in refusal(tmp_path, "id,ID\n1,2\n", of=Refused)
    assert read(tmp_path, "id,x,x,\n1,2,3,4\n").header == ["id", "x", "x (2)", "column 4"]


def test_lines_before_the_header_are_skipped_and_counted(tmp_path: Path) -> None:
    found = read(tmp_path, 'Survey "North"\n\nsep=;\nid;note\n1;a\n')

    assert found.rows == [("1", "a")]
    assert found.lines == [5]
    assert found.format["preamble_lines"] == 3


def test_a_header_repeated_further_down_is_never_a_row(tmp_path: Path) -> None:
    found = read(tmp_path, "id,note\n1,a\nid,note\n2,b\nid,n0te\n")

    assert found.rows == [("1", "a"), ("2", "b"), ("id", "n0te")]
    assert "the header again" in found.reasons[3]


def test_lines_of_delimiters_only_are_no_records(tmp_path: Path) -> None:
    found = read(tmp_path, "title,\n,\nid,note\n,\n1,a\n,\n ,\n2,\n,\n")

    assert found.rows == [("1", "a"), (" ", ""), ("2", "")]
    assert found.lines == [5, 7, 8]
    assert not found.broken


def test_a_delimiter_at_the_end_of_every_record_is_no_field(tmp_path: Path) -> None:
    found = read(tmp_path, 'id;note\n1;a;\n2;;\n3;"c";" "\n')

    assert found.rows == [("1", "a"), ("2", ""), ("3", "c")]
    assert found.format["trailing_delimiter"] == 1
    assert read(tmp_path, "id;note\n1;a;\n2;b;c\n").rows == []
    assert read(tmp_path, "id;note\n1;a;\n2;b\n").rows == [("2", "b")]


def test_a_delimiter_at_the_end_of_all_records_but_some_further_down_breaks_those(tmp_path: Path) -> None:
    found = read(tmp_path, "id,note\n" + "1,a,\n" * 2_000 + "2,b\n3,c,d\n", rows=300)

    assert set(found.rows) == {("1", "a")}
    assert "and an empty one behind" in found.reasons[2_002]
    assert "expected an empty field behind the 2" in found.reasons[2_003]


def test_a_header_of_several_lines_is_read_where_its_names_are_joined(tmp_path: Path) -> None:
    travel = requiring("id", optional=("travel_air", "travel_rail", "total"))
    found = read(tmp_path, "Expenses,,,\nId,Travel,,Total\n,Air,Rail,\n1,5,6,11\n", contract=travel)

    assert found.header == ["Id", "Travel Air", "Travel Rail", "Total"]
    assert found.rows == [("1", "5", "6", "11")]
    assert found.lines == [4]
    again = read(tmp_path, "Travel,,,Total\nid,air,rail,\n1,5,6,11\n", contract=requiring("travel_air", "total"))
    assert again.header == ["Travel id", "Travel air", "Travel rail", "Total"]


def test_a_header_of_one_line_is_not_joined_with_its_neighbours(tmp_path: Path) -> None:
    found = read(tmp_path, "title\nid,note,more\n1,a,x\n", contract=requiring("id", optional=("note", "note_a")))

    assert found.rows == [("1", "a", "x")]


def test_a_header_of_several_lines_that_fits_in_two_ways_is_refused(tmp_path: Path) -> None:
    contract = requiring("survey_id", optional=("survey_note",))
    data = "survey,,\nid,note,survey note\n1,2,3\n"

    assert "both fit" in refusal(tmp_path, data, contract=contract, of=Refused)


def test_repeated_names_may_be_declared_by_their_place(tmp_path: Path) -> None:
    again = {"again": column(str, "Asked again.", required=True, aliases=("x (2)",))}
    found = read(tmp_path, "x,x,x\n1,2,3\n", contract=changed(requiring(optional=("x_3",)), columns=again))

    assert found.header == ["x", "x (2)", "x (3)"]
    assert found.rows == [("1", "2", "3")]


@pytest.mark.parametrize("rows", ["a,,x\nb,,y\n", "a,id,x\n", "a,note,note\n"])
def test_a_record_below_a_header_that_names_a_column_twice_is_no_part_of_it(tmp_path: Path, rows: str) -> None:
    contract = dataset({"hhid": column(str, "Household.", aliases=("hh_id", "id")), "note": column(str, "Remark.")})

    message = refusal(tmp_path, "hhid,hh_id,note\n" + rows, contract=contract, of=Refused)
    assert "'hhid' and 'hh_id' (columns 1 and 2 of the file) both fit column 'hhid'" in message


def test_a_record_that_gives_a_header_worse_names_is_no_part_of_it(tmp_path: Path) -> None:
    contract = requiring("crop_kg", optional=("hhid",))
    dates = requiring(optional=("id", "visit_date"))

    assert "required columns" in refusal(tmp_path, "hhid,crop\na,kg\nb,7\n", contract=contract, of=Refused)
    assert read(tmp_path, "id,visit\nh1,date\nh2,x\n", contract=dates).rows == [("h1", "date"), ("h2", "x")]


@pytest.mark.parametrize(
    "columns", [requiring("id", optional=("visit_date",)), requiring(optional=("id", "visit_date"))]
)
@pytest.mark.parametrize("data", ["id,visit\n,date\nh2,x\n", "id,visit,\n,date,x\nh2,x,\n"])
def test_a_record_that_may_be_the_end_of_the_header_refuses_the_drop(
    tmp_path: Path, columns: Contract, data: str
) -> None:
    assert "may be a record or the end of a header" in refusal(tmp_path, data, contract=columns, of=Refused)


def test_drops_without_a_header_are_read_where_the_contract_says_so(tmp_path: Path) -> None:
    bare = changed(requiring("id", optional=("note", "kg")), headerless=True)
    found = read(tmp_path, "1;a,b;2\n2;c;3\n4;d\n", contract=bare)

    assert found.header == ["id", "note", "kg"]
    assert found.rows == [("1", "a,b", "2"), ("2", "c", "3")]
    assert found.lines == [1, 2]
    assert list(found.reasons) == [3]
    assert read(tmp_path, "note,id,kg\na,1,2\n", contract=bare).rows == [("a", "1", "2")]
    assert "expected records of 3 fields" in refusal(tmp_path, "a,1\n", contract=bare, of=Refused)
    assert "required columns" in refusal(tmp_path, "1;a;2\n", contract=requiring("id"), of=Refused)


def test_empty_fields_are_empty_texts_quoted_or_not_and_nothing_is_guessed(tmp_path: Path) -> None:
    found = read(tmp_path, 'id,note\n"",\n007,NA\n1.50,null\n true ,"null"\n')

    assert found.rows == [("", ""), ("007", "NA"), ("1.50", "null"), (" true ", "null")]


def test_records_with_too_few_or_too_many_fields_are_broken_never_padded_or_cut(tmp_path: Path) -> None:
    found = read(tmp_path, "id,note\n1\n2,b\n3,c,\n4,d,e\n")

    assert found.rows == [("2", "b")]
    assert found.lines == [3]
    assert [(record.line, record.raw) for record in found.broken] == [(2, "1"), (4, "3,c,"), (5, "4,d,e")]
    assert "expected 2 fields as in the header, found 1" in found.reasons[2]
    assert "remove the delimiter at the end" in found.reasons[4]


@pytest.mark.parametrize("record", ['2,"b', '2,b"c', '2,"b"c', '"2""', '2,"b" '])
def test_a_record_with_wrong_quotes_is_broken_and_costs_no_other(tmp_path: Path, record: str) -> None:
    found = read(tmp_path, f'id,note\n1,"a\nb"\n{record}\n3,c\n4,"d"\n')

    assert found.rows == [("1", "a\nb"), ("3", "c"), ("4", "d")]
    assert found.lines == [2, 5, 6]
    assert [(broken.line, broken.raw) for broken in found.broken] == [(4, record)]
    assert 'expected " only around whole fields' in found.reasons[4]


def test_blank_lines_are_no_records(tmp_path: Path) -> None:
    found = read(tmp_path, "\n\nid,note\n\n1,a\n\n\n2,b\n\n")

    assert found.rows == [("1", "a"), ("2", "b")]
    assert found.lines == [5, 8]
    assert not found.broken


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r", "\r\r\n"])
def test_lines_are_counted_by_the_line_ends_of_the_file(tmp_path: Path, line_end: str) -> None:
    found = read(tmp_path, line_end.join(["id,note", "1,a", f'2,"b{line_end}c"', "", "3,d"]))

    assert [row[0] for row in found.rows] == ["1", "2", "3"]
    assert found.lines == [2, 3, 6]
    assert found.raw == ["1,a", f'2,"b{line_end}c"', "3,d"]


def test_the_other_line_end_inside_a_field_is_a_character(tmp_path: Path) -> None:
    assert read(tmp_path, "id,note\n1\r,a\rb\n").rows == [("1\r", "a\rb")]
    assert read(tmp_path, "id,note\r1,a\nb\r").rows == [("1", "a\nb")]


def test_apostrophes_are_quotes_where_the_header_has_them(tmp_path: Path) -> None:
    found = read(tmp_path, "'id','note'\n'1','it''s, well'\n")

    assert found.rows == [("1", "it's, well")]
    assert found.format["quote"] == "'"


def test_apostrophes_that_may_be_quotes_or_not_are_refused(tmp_path: Path) -> None:
    assert "apostrophes" in refusal(tmp_path, "id,note\n1,'a'\n2,'b'\n", of=Refused)
    assert read(tmp_path, "id,note\n1,'a'\n2,don't\n").rows == [("1", "'a'"), ("2", "don't")]


def test_quotes_escaped_by_backslashes_are_read_where_they_keep_records_whole(tmp_path: Path) -> None:
    found = read(tmp_path, 'id,note\n1,"say \\"a, b\\""\n2,"c\\\\d"\n')

    assert found.rows == [("1", 'say "a, b"'), ("2", "c\\d")]
    assert found.format["escape"] == "\\"


def test_quotes_between_tabs_may_be_characters(tmp_path: Path) -> None:
    found = read(tmp_path, 'id\tnote\n1\t"Swing it" magistern\n2\t5" pipe\n')

    assert found.rows == [("1", '"Swing it" magistern'), ("2", '5" pipe')]
    assert found.format["quote"] == "none"


def test_a_table_of_one_column_is_read_with_commas(tmp_path: Path) -> None:
    found = read(tmp_path, 'id\na;b\n"c,d"\ne,f\n')

    assert found.rows == [("a;b",), ("c,d",)]
    assert found.reasons == {4: "expected 1 fields as in the header, found 2"}


@pytest.mark.parametrize("data", [b"", b"\n\r\n\n", b"\xef\xbb\xbf", gzip.compress(b"", mtime=0)])
def test_a_file_without_content_has_no_header_and_no_batches(tmp_path: Path, data: bytes) -> None:
    found = read(tmp_path, data)

    assert found.header == []
    assert found.rows == []


@pytest.mark.parametrize("data", ["id,note", "id,note\n", "title\nid,note\r\n\r\n"])
def test_a_file_of_a_header_only_has_no_batches(tmp_path: Path, data: str) -> None:
    found = read(tmp_path, data)

    assert found.header == ["id", "note"]
    assert found.rows == []


@pytest.mark.parametrize(
    ("encoding", "named"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("utf-16", "utf-16-le"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("utf-32", "utf-32-le"),
        ("cp1252", "cp1252"),
    ],
)
def test_the_encoding_is_found_by_its_mark_its_nuls_or_what_the_bytes_can_be(
    tmp_path: Path, encoding: str, named: str
) -> None:
    found = read(tmp_path, 'id;note\r\n1;café €\r\n2;"a;\r\nb"\r\n'.encode(encoding))

    assert found.rows == [("1", "café €"), ("2", "a;\r\nb")]
    assert found.lines == [2, 3]
    assert found.format["encoding"] == named


def test_the_contract_says_which_encodings_are_tried(tmp_path: Path) -> None:
    japanese = "id,note\n1,日本語、表\n".encode("shift_jis")

    assert read(tmp_path, japanese, contract=requiring("id", encodings=("shift_jis",))).rows == [("1", "日本語、表")]
    assert "utf-8 or cp1252" in refusal(tmp_path, japanese, of=Unreadable)


def test_control_characters_that_were_cp1252_are_read_as_what_they_were(tmp_path: Path) -> None:
    found = read(tmp_path, "id,note\n1,7 \x96 8 \x93a\x94 \x80\n2,\x81é\n")

    assert found.rows == [("1", "7 \u2013 8 \u201ca\u201d €"), ("2", "\x81é")]
    assert found.format["c1_controls"] == "read as cp1252"


def test_utf8_that_was_read_as_latin_1_before_stays_as_it_is(tmp_path: Path) -> None:
    found = read(tmp_path, "id,note\n1,Espa\xc3\x91a\n2,\xe3\xa3\xe2\x91ame\n")

    assert found.rows == [("1", "Espa\xc3\x91a"), ("2", "\xe3\xa3\xe2\x91ame")]


@given(text=st.text("aé\x91\xc3\xe2\x96", min_size=1), at=st.integers(1, 40))
def test_where_a_file_is_cut_into_blocks_does_not_show_in_its_control_characters(text: str, at: int) -> None:
    data = text.encode()
    whole = b"".join(without_c1(iter([data]), {}))

    assert b"".join(without_c1(iter([data[start : start + at] for start in range(0, len(data), at)]), {})) == whole


FOREIGN = {
    "cp1251": "Иван Петров, Москва",
    "koi8_r": "Иван Петров, Москва",
    "cp1253": "Ελληνικά κείμενο, Αθήνα",
    "shift_jis": "日本語テキスト、東京都",
    "gb18030": "中文文本,北京市",
    "euc_kr": "한국어 텍스트,서울",
}


@pytest.mark.parametrize("encoding", FOREIGN)
def test_text_of_another_alphabet_is_never_taken_for_the_encoding_declared(tmp_path: Path, encoding: str) -> None:
    text = FOREIGN[encoding]
    data = f"id;note\n1;{text}\n".encode(encoding)

    assert "utf-8 or cp1252" in refusal(tmp_path, data, of=Unreadable)
    assert read(tmp_path, data, contract=requiring("id", encodings=(encoding,))).rows == [("1", text)]


def test_bytes_that_are_text_in_two_encodings_declared_are_refused(tmp_path: Path) -> None:
    both = requiring("id", encodings=("cp1252", "cp1250"))

    assert "cp1252 or cp1250" in refusal(tmp_path, "id,note\n1,na\xefve\n".encode("cp1252"), contract=both, of=Refused)
    assert read(tmp_path, "id,note\n1,café\n".encode("cp1252"), contract=both).rows == [("1", "café")]
    either = requiring("id", encodings=("cp1251", "cp1252"))
    assert read(tmp_path, "id,note\n1,café\n".encode("cp1252"), contract=either).rows == [("1", "café")]
    assert read(tmp_path, "id,note\n1,Москва\n".encode("cp1251"), contract=either).rows == [("1", "Москва")]


@pytest.mark.parametrize(
    "text", ["été", "à", "Ångström", "naïve Äußerung", "£5", "Übergröße, ÄÖÜ", "Ñandú", "Château d\u2019Oex"]
)
def test_words_of_western_languages_are_plausible(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, f"id;note\n1;{text}\n".encode("cp1252")).rows == [("1", text)]


def test_the_encoding_may_show_far_down_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "BLOCK", 2**12)
    far = b"id,note\n" + b"1,plain\n" * 2_000

    late = read(tmp_path, far + "2,é\n".encode("cp1252"))
    assert (late.rows[-1], late.format["encoding"]) == (("2", "é"), "cp1252")

    late = read(tmp_path, far + "2,é\n".encode())
    assert (late.rows[-1], late.format["encoding"]) == (("2", "é"), "utf-8")


def test_a_character_cut_by_a_block_does_not_hide_the_encoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "BLOCK", 16)

    found = read(tmp_path, "id,note\n1,abcdeé\n2,ü\n")

    assert found.rows == [("1", "abcdeé"), ("2", "ü")]
    assert found.format["encoding"] == "utf-8"


def test_a_large_file_is_read_in_smaller_batches_and_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "BLOCK", 2**12)
    text = "id,note\n" + "".join(f"{number},some words\n" for number in range(5_000))
    path = tmp_path / "large.csv"
    path.write_text(text)
    batches = list(open_drop(path, path.name, requiring("id")).batches())
    monkeypatch.setattr(compression, "FOR_A_BYTE", len(text) // 2**11)
    smaller = list(open_drop(path, path.name, requiring("id")).batches())
    assert max(batch.records for batch in smaller) < 0.7 * max(batch.records for batch in batches)
    assert pl.concat(batch.frame for batch in smaller).equals(pl.concat(batch.frame for batch in batches))


def test_two_encodings_in_one_file_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "BLOCK", 2**12)
    first, second = "1,é\n".encode("cp1252") * 2_000, "1,é\n".encode() * 4_000

    assert "cp1252 and utf-8 mixed" in refusal(tmp_path, b"id,note\n" + first + second, of=Refused)


def test_a_byte_that_is_no_text_breaks_its_record_only(tmp_path: Path) -> None:
    found = read(tmp_path, "id,note\n1,é\n2,ö\n".encode() + b"3,\xff\n" + "4,ü\n".encode())

    assert found.rows == [("1", "é"), ("2", "ö"), ("4", "ü")]
    assert [(record.line, record.raw) for record in found.broken] == [(4, "3,\\xff")]
    assert "utf-8" in found.reasons[4]


def test_half_a_character_of_utf_16_breaks_its_record_only(tmp_path: Path) -> None:
    lone = b"\x3d\xd8"
    data = "id,note\n1,é\n2,".encode("utf-16") + lone + "\n3,ü\n".encode("utf-16-le") + b"\x00"
    found = read(tmp_path, data)

    assert found.rows == [("1", "é"), ("3", "ü")]
    assert [record.line for record in found.broken] == [3, 5]
    assert found.broken[0].raw == "2,\\x3d\\xd8"


PACKED = {
    "gzip": gzip.compress(b"id,note\n") + gzip.compress(b"1,a\n2,b\n"),
    "zstd": pa.compress(b"id,note\n1,a\n2,b\n", codec="zstd", asbytes=True),
    "bzip2": bz2.compress(b"id,note\n1,a\n2,b\n"),
    "xz": lzma.compress(b"id,note\n1,a\n2,b\n"),
}


@pytest.mark.parametrize("kind", PACKED)
def test_compressed_drops_are_read_whatever_their_name(tmp_path: Path, kind: str) -> None:
    found = read(tmp_path, PACKED[kind])

    assert found.rows == [("1", "a"), ("2", "b")]
    assert found.format["compression"] == kind


@pytest.mark.parametrize("codec", ["gzip", "zstd"])
def test_compressed_data_that_ends_early_is_never_taken_for_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, codec: str
) -> None:
    monkeypatch.setattr(compression, "BLOCK", 2**12)
    text = b"id,note\n" + b"".join(b"%d,%x\n" % (number, number * 7919) for number in range(20_000))
    packed = gzip.compress(text, 1) if codec == "gzip" else pa.compress(text, codec=codec, asbytes=True)
    (tmp_path / "file").write_bytes(packed[:-20])
    reader = open_drop(tmp_path / "file", "visits.csv.gz", VISITS)

    with pytest.raises(Unreadable, match=f"ends early, after {len(packed) - 20:,} bytes"):
        content(reader)


def test_damaged_gzip_is_unreadable(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(b"id,note\n" + b"1,a\n" * 10_000))
    packed[20:25] = b"\xff" * 5

    assert "is damaged" in refusal(tmp_path, bytes(packed), of=Unreadable)


def test_a_line_without_end_is_refused_at_bounded_size(tmp_path: Path) -> None:
    endless = b"id,note\n1," + b"a" * 3 * LONGEST

    assert "line 2: expected records of at most" in refusal(tmp_path, endless, of=Refused)


def test_more_columns_than_any_table_has_are_refused(tmp_path: Path) -> None:
    header = ",".join(["id", *(f"c{number}" for number in range(6_000))])

    assert "at most 5,000 columns" in refusal(tmp_path, header + "\n", of=Refused)


def test_batches_are_bounded_and_may_be_read_again(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("id,note\n" + "1,a\n" * 10_001)
    reader = open_drop(tmp_path / "file", "visits.csv", VISITS)

    for _ in range(2):
        heights = [batch.records for batch in reader.batches(rows=1_000)]
        assert sum(heights) == 10_001
        assert max(heights) <= 1_000


MEASURE = """
import re, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from files import requiring
from lastmile.ingestion.readers import open_drop

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024

before = peak()
rows = sum(batch.frame.height for batch in open_drop(Path(sys.argv[1]), "visits.csv", requiring("id")).batches())
print(rows, peak() - before)
"""


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="needs the peak memory that Linux keeps of a process"
)
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    row = b"1," + b",".join(b'"a ""note"" of %d"' % number for number in range(9)) + b"\n"
    header = b"id," + b",".join(b"c%d" % number for number in range(9)) + b"\n"
    with gzip.open(tmp_path / "file", "wb", compresslevel=1) as file:
        file.write(header)
        for _ in range(150):
            file.write(row * (2**20 // len(row)))

    command = [sys.executable, "-c", MEASURE, str(tmp_path / "file"), str(Path(__file__).parents[2])]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rows, grown = map(int, done.stdout.split())

    assert rows == 150 * (2**20 // len(row))
    assert grown < 250, f"{grown} MiB more than before reading 150 MiB"
