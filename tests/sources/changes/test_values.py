"""A value is the same whether it was read in the snapshot or came as a change."""

import json
from datetime import date, datetime
from typing import Any

import polars as pl
import pytest
from followed import Shop, contract, source
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lastmile.contracts import column
from lastmile.contracts.fields import Json
from lastmile.sources.changes.arrays import as_json

VALUES = [
    ("boolean", "true", bool, True),
    ("boolean", "false", bool, False),
    ("bigint", "-9223372036854775808", int, -(2**63)),
    ("numeric", "12345678901234567890.10", str, "12345678901234567890.10"),
    ("real", "1.1", float, 1.1),
    ("double precision", "1e-300", float, 1e-300),
    ("text", "'\"x\" \\ é 東 \n'", str, "'\"x\" \\ é 東 \n'"),
    ("character(5)", "ab", str, "ab"),
    ("date", "2024-02-29", date, date(2024, 2, 29)),
    ("date", "infinity", str, "infinity"),
    ("timestamptz", "2024-05-31 14:30:00.5+02", datetime, datetime.fromisoformat("2024-05-31T12:30:00.5Z")),
    ("timestamptz", "2024-05-31 14:30:00+02", str, "2024-05-31 12:30:00Z"),
    ("timestamptz", "infinity", str, "infinity"),
    ("timestamp", "2024-05-31 14:30:00", datetime, datetime.fromisoformat("2024-05-31T14:30:00Z")),
    ("interval", "1 day 2 hours", str, "P1DT2H"),
    ("uuid", "6F9619FF-8B86-D011-B42D-00CF4FC964FF", str, "6f9619ff-8b86-d011-b42d-00cf4fc964ff"),
    ("jsonb", '{"a": [1.0, null]}', Json, {"a": [1.0, None]}),
    ("json", '{"a":  1.50}', str, '{"a":  1.50}'),
    ("text[]", '{"a b",c,NULL,"d\\"e"}', Json, ["a b", "c", None, 'd"e']),
    ("text[]", "{a,b}", pl.List(pl.String()), ["a", "b"]),
    ("integer[]", "{1,NULL,3}", Json, [1, None, 3]),
    ("integer[]", "{{1,2},{3,4}}", Json, [[1, 2], [3, 4]]),
    ("integer[]", "[0:1]={1,2}", Json, [1, 2]),
    ("boolean[]", "{t,f}", Json, [True, False]),
    ("bytea", "\\x00ff41", str, "\\x00ff41"),
    ("mood", "sad", str, "sad"),
    ("mood[]", "{sad,glad}", Json, ["sad", "glad"]),
    ("agreed", "t", bool, True),
    ("inet", "10.0.0.1", str, "10.0.0.1"),
]


@pytest.mark.parametrize(("kind", "written", "declared", "expected"), VALUES)
def test_a_value_is_the_same_from_a_snapshot_and_as_a_change(
    shop: Shop, kind: str, written: str, declared: Any, expected: Any
) -> None:
    shop.does(
        "DROP TABLE stock",
        "CREATE TYPE mood AS ENUM ('sad', 'glad')",
        "CREATE DOMAIN agreed AS boolean",
        f"CREATE TABLE stock (article int PRIMARY KEY, value {kind})",
    )
    shop.there.execute("INSERT INTO stock VALUES (1, %s), (2, NULL)", [written])
    under = contract(
        columns={"article": column(int, "Number.", required=True), "value": column(declared, "Value.", missing=("",))}
    )
    shop.follow(under=under)
    shop.there.execute("INSERT INTO stock VALUES (3, %s), (4, NULL)", [written])
    shop.follow(under=under)
    found = shop.here.execute("SELECT value FROM changes.stock ORDER BY article").fetchall()
    assert found == [(expected,), (None,), (expected,), (None,)]
    images = shop.here.execute("SELECT image ->> 'value' FROM changes.stock_images ORDER BY key").fetchall()
    assert images[0] == images[2]


elements = st.one_of(st.none(), st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))


@given(st.lists(elements, max_size=5))
@example(["\u00a0", "\u2003a", "\x1c"])
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_lists_of_any_texts_are_read_as_postgres_writes_them(shop: Shop, texts: list[str | None]) -> None:
    (written,) = shop.there.execute("SELECT %s::text[]::text", [texts]).fetchone() or ("",)
    assert json.loads(as_json(written, "S")) == texts


@pytest.mark.parametrize("written", ["", "x", "2024-01-01"])
def test_what_is_no_list_stays_as_it_is(written: str) -> None:
    assert as_json(written, "S") == written


def test_a_source_needs_a_name_that_its_tables_can_have() -> None:
    with pytest.raises(ValueError, match="at most 48 letters"):
        source(name="s" * 49)
