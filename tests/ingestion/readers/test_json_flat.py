"""Lines that are flat objects alike are read many at once, with the result of reading each by itself."""

import json
from itertools import count
from pathlib import Path

import orjson
import pytest
from files import Content, content, requiring
from hypothesis import given
from hypothesis import strategies as st

from lastmile.ingestion.batch import Refused
from lastmile.ingestion.readers import compression, open_drop
from lastmile.ingestion.readers.json import lines

VISITS = requiring("id", optional=("note", "more"))
_folders = count()


def read(path: Path, rows: int = 50_000) -> Content | str:
    try:
        return content(open_drop(path, "visits.jsonl", VISITS), rows)
    except Refused as refused:
        return str(refused)


def both(folder: Path, data: bytes | str, rows: int = 50_000) -> tuple[Content | str, Content | str]:
    """What is read many at once, and line by line."""
    path = folder / f"{next(_folders)}.jsonl"
    path.write_bytes(data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass"))
    together = read(path, rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "template_of", lambda line: None)
        return together, read(path, rows)


VALUES = [
    '"a"', '""', '"é"', '"\U0001f600"', '"a\\"b"', '"a\\\\"', '"\\\\\\""', '"\\u00e9\\u0000"', '"\\ud800"', '"\\x"',
    '"a,\\"note\\":1"', '"x : y"', '", \\"id\\": "', '"a"b"', '"', '""""', '"a" ', '"tab\there"', "'a'", '"null"',
    "null", "true", "false", "True", "nul", "nullx", "1", "-1", "0", "-0", "01", "-01", "1.0", "1.10", "0.10", ".5",
    "1.", "-.5", "-", "+1", "1e5", "1E400", "1_000", "1 000", "1,5", "0x10", "NaN", "Infinity", "-Infinity", "inf",
    "12345678901234567890", "0.1234567890123456789", "123456789012345678901234567890.5", "[]", "{}", "[1,2]",
    '{"note":1}', '{"a":"b"}', "", " ", "1 ", '"a","note":"b"', '"a","id":"b"', '1}', '"long enough to lie elsewhere"',
]  # fmt: skip


@pytest.mark.parametrize("colon", [":", ": ", " :", ":\t"])
@pytest.mark.parametrize("value", VALUES)
def test_whatever_a_value_is_it_is_read_as_by_itself(tmp_path: Path, value: str, colon: str) -> None:
    comma = ", " if colon == ": " else ","
    plain = f'{{"id"{colon}"p"{comma}"note"{colon}1}}'
    data = [
        plain,
        f'{{"id"{colon}{value}{comma}"note"{colon}2}}',
        f'{{"id"{colon}3{comma}"note"{colon}{value}}}',
        plain,
    ]
    together, alone = both(tmp_path, "\n".join(data))
    assert together == alone
    together, alone = both(tmp_path, "\r\n".join(data[1:]))
    assert together == alone


@pytest.mark.parametrize(
    "other",
    [
        "", " ", "\ufeff", '\ufeff{"id":"2","note":"b"}', '{"note":"b","id":"2"}', '{"id":"2"}',
        '{"id":"2","late":"x"}',
        '{"id":"2","note":"b","late":"x"}', '{"id":"2","note":"b"} x', ' {"id":"2","note":"b"}',
        '{"id":"2","note":"b"} ',
        '{"id":"2","note":"b","note":"c"}', '{"id":"2","id":"3"}', '{"id":"2","late" :"b"}', '{"id":"2","note":"b"}}',
        '{"id":"2","note":"b"}{"id":"3","note":"c"}', '[{"id":"2","note":"b"}]', "x", '{"id":"2","note":"b"',
        '{"id":"2", "note":"b"}', '{"id":"2"\t,"note":"b"}', '{"i\\u0064":"2","note":"b"}', "\0",
    ],
)  # fmt: skip
@pytest.mark.parametrize("rows", [1, 2, 50_000])
def test_a_line_unlike_the_others_is_read_by_itself_in_its_place(tmp_path: Path, other: str, rows: int) -> None:
    plain = '{"id":"1","note":"a"}'
    for data in ([plain, other, plain, plain], [other, plain, plain], [plain, plain, other]):
        together, alone = both(tmp_path, "\n".join(data), rows)
        assert together == alone


def test_bytes_that_are_no_text_break_their_line_alone(tmp_path: Path) -> None:
    together, alone = both(tmp_path, b'{"id":"\xc3\xa9","note":"a"}\n{"id":"\xff","note":"a"}\n{"id":"2","note":"b"}\n')
    assert together == alone


PIECES = st.sampled_from(
    [*'{}[]",:\\ \t1e.-', '"id":', '"note":', '"a"', '\\"', "null", "é", "\\u00e9", ',"note":', "\n"]
)


@given(st.lists(st.lists(PIECES, max_size=4).map("".join), min_size=1, max_size=6), st.sampled_from([",", ", "]))
def test_no_line_is_read_otherwise_among_others(
    tmp_path_factory: pytest.TempPathFactory, values: list[str], comma: str
) -> None:
    records = ['{"id"%s"p"%s"note"%s1}', *('{"id"%s"p"%s"note"%s' + value.replace("%", "") + "}" for value in values)]
    colon = comma.replace(",", ":")
    data = "\n".join(record % (colon, comma, colon) for record in records)
    together, alone = both(tmp_path_factory.getbasetemp(), data)
    assert together == alone


@pytest.mark.parametrize("write", [lambda record: orjson.dumps(record).decode(), json.dumps])
def test_of_a_file_as_programs_write_it_no_line_is_looked_at_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write
) -> None:
    records = [
        {"id": f"v{number}", "note": 'say "x"' if number % 3 else None, "more": number / 7} for number in range(1_000)
    ]
    path = tmp_path / "visits.jsonl"
    path.write_text("\n".join(map(write, records)))
    monkeypatch.setattr(lines, "plain_record", None)
    monkeypatch.setattr(compression, "BLOCK", 10_000)
    found = read(path)
    assert isinstance(found, Content)
    assert found.rows == [(one["id"], one["note"], repr(one["more"])) for one in records]
    assert found.raw == list(map(write, records))
    assert found.lines == list(range(1, 1_001))
