"""How JSON Lines and JSON documents are read."""

import gzip
import json
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from declaring import dataset
from files import VISITS, content, read, refusal, requiring
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lastmile.contracts import Json, column
from lastmile.contracts.settings import Limits
from lastmile.ingestion.batch import Refused, Unreadable
from lastmile.ingestion.readers import compression, open_drop
from lastmile.ingestion.readers.json.records import Decoder, NotARecord, decode_record, plain_record

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


def test_each_line_is_a_record_with_every_key_of_the_file(tmp_path: Path) -> None:
    found = read(tmp_path, '{"id": "1"}\n\n{"id": "2", "note": "a"}\r\n{"late": "x", "id": "3"}', "visits.jsonl")

    assert found.header == ["id", "note", "late"]
    assert found.rows == [("1", None, None), ("2", "a", None), ("3", None, "x")]
    assert found.lines == [1, 3, 4]
    assert found.raw == ['{"id": "1"}', '{"id": "2", "note": "a"}', '{"late": "x", "id": "3"}']


@pytest.mark.parametrize("name", ["visits.jsonl", "visits.json"])
def test_values_are_texts_that_lose_nothing(tmp_path: Path, name: str) -> None:
    record = (
        '{"id": 0.10, "note": null, "a": 12345678901234567890, "b": 1E400, "c": true, '
        '"d": {"x": [1, 2.50, "é"]}, "e": "", "f": []}'
    )
    found = read(tmp_path, record if name.endswith("l") else f"[{record}]", name)

    assert found.rows == [
        ("0.10", None, "12345678901234567890", "1E400", "true", '{"x":[1,2.50,"é"]}', "", "[]"),
    ]


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=8), st.booleans(), st.booleans())
def test_texts_written_as_json_are_read_back_identically(
    tmp_path: Path, table: list[tuple[str, str]], lines: bool, escaped: bool
) -> None:
    records = [json.dumps({"id": first, "note": second}, ensure_ascii=escaped) for first, second in table]
    data, name = ("\n".join(records), "a.jsonl") if lines else (f"[{', '.join(records)}]", "a.json")

    found = read(tmp_path, data, name)

    assert found.rows == table
    assert found.raw == records
    assert found.lines == list(range(1, len(table) + 1))


FAULTS = {
    '{"id": 1': "no JSON",
    "[1, 2]": "expected an object, found list",
    '"id"': "expected an object, found str",
    '{"id": NaN}': "NaN is no value of JSON",
    '{"id": 1, "note": {"x": -Infinity}}': "-Infinity is no value of JSON",
    '{"id": 1, "id": 2}': "'id' stands twice",
    '{"id": 1, "note": {"x": 1, "x": 1}}': "'x' stands twice",
    '{"id": ' + "[" * 70 + "]" * 70 + "}": "found deeper ones",
    '{"id": ' + "[" * 100_000 + "}": "found deeper ones",
    '{"id": 1} {"id": 2}': "more after the value",
    '{"id": "\\ud800"}': "surrogate",
    "{'id': 1}": "no JSON",
    '{"id": 01}': "no JSON",
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault[:40])
def test_a_line_that_is_no_record_is_broken_and_costs_no_other(tmp_path: Path, fault: str) -> None:
    found = read(tmp_path, f'{{"id": "1"}}\n{fault}\n{{"id": "3"}}\n', "visits.jsonl")

    assert [row[0] for row in found.rows] == ["1", "3"]
    assert [(record.line, record.raw) for record in found.broken] == [(2, fault)]
    assert FAULTS[fault] in found.reasons[2]


def test_brackets_in_texts_do_not_count_as_depth(tmp_path: Path) -> None:
    note = "[" * 100 + '\\"' + "{" * 100

    assert read(tmp_path, f'{{"id": "1", "note": "{note}"}}\n', "visits.jsonl").rows == [("1", note.replace("\\", ""))]


def test_bytes_that_are_no_text_break_their_line_only(tmp_path: Path) -> None:
    found = read(tmp_path, '{"id": "é"}\n'.encode() + b'{"id": "\xff"}\n{"id": "3"}', "visits.jsonl")

    assert found.rows == [("é",), ("3",)]
    assert found.broken[0].raw == '{"id": "\\xff"}'


def test_lines_of_which_none_is_an_object_are_unreadable(tmp_path: Path) -> None:
    assert "line 2 starts" in refusal(tmp_path, "\n[1]\n[2]\n", "visits.jsonl", of=Unreadable)


def test_lines_are_read_in_blocks_and_compressed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "BLOCK", 64)
    data = "".join(f'{{"id": "{number}"}}\n' for number in range(500))

    found = read(tmp_path, gzip.compress(data.encode()), "visits.jsonl.gz", rows=7)

    assert found.rows == [(str(number),) for number in range(500)]
    assert found.lines == list(range(1, 501))


def test_a_document_is_an_array_or_an_object_with_one_or_a_record(tmp_path: Path) -> None:
    array = '[\n  {"id": 1},\n  {"id": 2, "note": "a"}\n]'
    wrapped = f'{{\n "meta": {{"pages": [1]}},\n "data": {array}\n}}'

    for document in (array, wrapped):
        found = read(tmp_path, document, "visits.json")
        assert found.rows == [("1", None), ("2", "a")]
        assert found.lines == [1, 2]
        assert found.raw == ['{"id": 1}', '{"id": 2, "note": "a"}']
    assert read(tmp_path, '{\n "id": 1,\n "note": [{"x": 1}]\n}', "visits.json").rows == [("1", '[{"x":1}]')]


def test_a_document_with_two_arrays_is_refused(tmp_path: Path) -> None:
    message = refusal(tmp_path, '{"a": [{"id": 1}], "b": [{"id": 2}]}', "visits.json", of=Refused)

    assert "2 arrays under ['a', 'b']" in message


def test_records_of_a_document_that_are_none_are_broken(tmp_path: Path) -> None:
    found = read(tmp_path, '[{"id": 1}, 2, {"id": NaN}, {"id": 1, "id": 2}, {"id": 5}]', "visits.json")

    assert found.rows == [("1",), ("5",)]
    assert found.lines == [1, 5]
    assert [(record.line, record.raw) for record in found.broken] == [
        (2, "2"),
        (3, '{"id": NaN}'),
        (4, '{"id": 1, "id": 2}'),
    ]


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ('[{"id": 1},\n {"id": 2}', "line 2, column"),
        ('[{"id": 1},]', "line 1, column 12"),
        ("[{]", "line 1, column 3"),
        ('[{"id": 1},\n{"id": 2}] [3]', "line 2, column 12"),
        ('{"data":\n[{"id": 1}]} ]', "line 2, column 14"),
    ],
)
def test_a_fault_of_syntax_makes_a_document_unreadable_and_says_where(
    tmp_path: Path, document: str, place: str
) -> None:
    assert place in refusal(tmp_path, document, "visits.json", of=Unreadable)


def test_a_document_too_deep_or_too_large_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    assert "at most 64 deep" in refusal(tmp_path, "[" * 100_000, "visits.json", of=Refused)
    small = replace(VISITS, limits=Limits(document_bytes=100))
    data = "[" + '{"id": 1},' * 50 + '{"id": 1}]'
    assert "limits.document_bytes" in refusal(tmp_path, data, "visits.json", small, of=Refused)


@pytest.mark.parametrize("document", ["[]", '{"data": []}', " ", ""])
def test_a_document_without_records_has_no_batches(tmp_path: Path, document: str) -> None:
    found = read(tmp_path, document, "visits.json")

    assert (found.header, found.rows) == ([], [])


def test_the_content_decides_where_the_name_says_otherwise(tmp_path: Path) -> None:
    assert read(tmp_path, '{"id": "1"}\n{"id": "2"}\n', "visits.csv").format["format"] == "jsonl"
    assert read(tmp_path, '[{"id": "1"}]', "visits.txt").format["format"] == "json"
    assert read(tmp_path, "id,note\n1,a\n", "visits.json").format["format"] == "csv"
    assert read(tmp_path, "[id],[note]\n1,a\n", "visits.csv").rows == [("1", "a")]
    assert "{ or [ first" in refusal(tmp_path, "hid,note\n1,a\n", "visits.json", of=Unreadable)


def test_two_keys_for_one_column_are_refused(tmp_path: Path) -> None:
    assert "'id' and 'ID'" in refusal(tmp_path, '{"id": 1}\n{"ID": 2}\n', "visits.jsonl", of=Refused)


def test_the_reader_may_be_read_again(tmp_path: Path) -> None:
    (tmp_path / "file").write_text('{"id": 1}\n{"id": 2}\n')
    reader = open_drop(tmp_path / "file", "visits.jsonl", requiring("id"))

    assert content(reader).rows == content(reader).rows == [("1",), ("2",)]


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
NUMERALS = st.sampled_from(
    ["0.10", "1E5", "-0", "-0.0", "1e400", "1e16", "1e+16", "12345678901234567890123", "1.0", "7"]
)
WRITERS = [
    json.dumps,
    partial(json.dumps, ensure_ascii=False),
    partial(json.dumps, separators=(",", ":")),
    partial(json.dumps, separators=(",", ":"), ensure_ascii=False),
    partial(json.dumps, indent=1),
]


def exactly(text):
    try:
        return decode_record(Decoder(), text, deepest=64)
    except NotARecord:
        return None


@given(st.dictionaries(st.text(), SCALARS | st.lists(SCALARS, max_size=2), max_size=4), st.sampled_from(WRITERS))
def test_a_plain_record_is_what_it_is_on_a_closer_look(record, write):
    text = write(record)
    with suppress(UnicodeEncodeError):
        assert plain_record(text.encode()) in (None, exactly(text))


@given(st.lists(st.tuples(st.sampled_from("ab"), NUMERALS | SCALARS.map(json.dumps)), max_size=4), st.booleans())
def test_a_plain_record_keeps_every_digit_and_no_key_stands_in_it_twice(members, is_spaced):
    colon = ": " if is_spaced else ":"
    text = "{" + (", " if is_spaced else ",").join(f'"{key}"{colon}{value}' for key, value in members) + "}"
    with suppress(UnicodeEncodeError):
        assert plain_record(text.encode()) in (None, exactly(text))


@pytest.mark.parametrize("write", WRITERS[:4])
def test_what_common_programs_write_takes_no_closer_look(write):
    record = {"name": "Ami", "n": 3, "kg": 2.5, "is_farmer": True, "note": None}
    expected = {"name": "Ami", "n": "3", "kg": "2.5", "is_farmer": "true", "note": None}
    assert plain_record(write(record).encode()) == expected


@pytest.mark.parametrize("name", ["visits.jsonl", "visits.json"])
def test_a_whole_number_with_an_exponent_is_its_digits_while_a_double_has_them_all(tmp_path: Path, name: str) -> None:
    numbers = ["2.54712345678e+11", "1E3", "9007199254740991e0", "1.5e3", "1.5e0", "1e-7"]
    records = [f'{{"id": {number}}}' for number in numbers]
    body = "\n".join(records) if name.endswith("l") else f"[{','.join(records)}]"

    assert [row[0] for row in read(tmp_path, body, name).rows] == [
        "254712345678", "1000", "9007199254740991", "1500", "1.5e0", "1e-7",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["visits.jsonl", "visits.json"])
@pytest.mark.parametrize("number", ["2.5e+17", "-9007199254740992e0", "1E400", "1e9999999999999999999"])
def test_a_number_that_may_have_lost_digits_is_a_fault_of_a_text(tmp_path: Path, name: str, number: str) -> None:
    record = f'{{"id": "1", "note": {number}, "unknown": {number}}}'
    (tmp_path / "file").write_text(record if name.endswith("l") else f"[{record}]")

    (batch,) = open_drop(tmp_path / "file", name, VISITS).batches()

    assert [(fault.line, fault.column, fault.rule, fault.found) for fault in batch.faults] == [
        (1, "note", "digits", number)
    ]


def test_long_integers_keep_every_digit(tmp_path: Path) -> None:
    found = read(tmp_path, '{"id": 12345678901234567890123, "note": {"n": [9007199254740993, 0.10]}}\n', "visits.jsonl")

    assert found.rows == [("12345678901234567890123", '{"n":[9007199254740993,0.10]}')]


def test_a_byte_order_mark_inside_json_lines_is_no_part_of_its_record(tmp_path: Path) -> None:
    found = read(tmp_path, '\ufeff{"id": "1"}\n\ufeff{"id": "2"}\n\ufeff\n{"id": "\ufeff3"}', "visits.jsonl")

    assert (found.rows, found.lines) == ([("1",), ("2",), ("\ufeff3",)], [1, 2, 4])


COLUMNS = [
    '{"id": {"0": "1", "1": "2"}, "note": {"0": "a", "1": "b"}}',
    '{"id": ["1", "2"], "note": ["a", null]}',
]


@pytest.mark.parametrize("name", ["visits.jsonl", "visits.json"])
@pytest.mark.parametrize("document", COLUMNS)
def test_a_table_written_by_columns_is_refused(tmp_path: Path, name: str, document: str) -> None:
    assert "expected records, found columns" in refusal(tmp_path, document, name, of=Refused)


def test_a_record_with_objects_inside_is_one(tmp_path: Path) -> None:
    assert read(tmp_path, '{"id": "1", "note": {"0": "a"}}', "visits.json").rows == [("1", '{"0":"a"}')]
    assert read(tmp_path, '{"id": {"x": "1"}}', "visits.json").rows == [('{"x":"1"}',)]
    nested = dataset({"id": column(Json, "Anything."), "note": column(Json, "Anything.")})
    assert read(tmp_path, '{"id": {"a": 1}, "note": {"a": 2}}', "visits.json", nested).rows == [('{"a":1}', '{"a":2}')]


@pytest.mark.parametrize(
    "document",
    [
        '{"columns": ["id", "note"], "index": [0], "data": [["1", "a"]]}',
        '{"0": {"id": "1", "note": "a"}, "1": {"id": "2", "note": "b"}}',
        '[["1", "a"], ["2", "b"]]',
    ],
    ids=["split", "index", "values"],
)
def test_other_tables_of_pandas_are_refused(tmp_path: Path, document: str) -> None:
    assert refusal(tmp_path, document, "visits.json", of=Refused)


def test_a_table_with_its_schema_is_read(tmp_path: Path) -> None:
    document = '{"schema": {"fields": [{"name": "id"}]}, "data": [{"index": 0, "id": "1", "note": "a"}]}'

    assert read(tmp_path, document, "visits.json").rows == [("0", "1", "a")]
