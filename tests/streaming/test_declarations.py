"""A stream says in one file what is made of its events; what cannot be done exactly is refused there."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from declaring import changed
from streamed import BY_MINUTE, SALES, START, STREAM

from lastmile.contracts import column
from lastmile.errors import UserError
from lastmile.streaming import AsOf, Hopping, Session, Tumbling, Within
from lastmile.streaming.declarations.loading import load_streams, stream_of

HOUR = timedelta(hours=1)


def tumbling(**values: pl.Expr) -> Tumbling:
    return Tumbling(name="some", every=HOUR, keys=("shop",), values=values)


@pytest.mark.parametrize(
    "value",
    [
        pl.col("cents").n_unique(),
        pl.col("cents").median(),
        pl.col("cents").std(),
        pl.col("cents").sum() / pl.len(),
        pl.col("cents").diff().sum(),
        pl.col("cents"),
    ],
)
def test_an_aggregate_that_cannot_be_added_up_from_parts_is_refused(value: pl.Expr) -> None:
    with pytest.raises(ValueError, match="cannot be added up from parts: expected len, count, sum"):
        tumbling(value=value)


@pytest.mark.parametrize(
    "value",
    [
        pl.len(),
        pl.col("cents").sum(),
        (pl.col("cents") * 2).max().alias("other"),
        (pl.col("cents") > 5).sum(),
        pl.col("cents").filter(pl.col("shop") == "north").sum(),
        pl.col("cents").mean(),
        pl.col("note").count(),
        pl.col("note").last(),
    ],
)
def test_an_aggregate_that_can_is_accepted(value: pl.Expr) -> None:
    assert list(tumbling(value=value).values) == ["value"]


def test_only_numbers_are_added_and_only_what_a_table_holds_is_a_value() -> None:
    euros = replace(STREAM, steps=({"euros": pl.col("cents") / 100},), windows=(tumbling(euros=pl.col("euros").sum()),))
    euros.expect_fits(SALES)
    with pytest.raises(ValueError, match="window some: value 'notes' adds String: expected numbers"):
        replace(STREAM, windows=(tumbling(notes=pl.col("note").sum()),)).expect_fits(SALES)
    longest = tumbling(wait=(pl.col("at") - pl.lit(START)).max())
    with pytest.raises(ValueError, match="value 'wait': no column of a table holds Duration"):
        replace(STREAM, windows=(longest,)).expect_fits(SALES)


def test_a_key_that_is_a_floating_point_number_is_refused() -> None:
    window = replace(tumbling(sales=pl.len()), keys=("euros",))
    with pytest.raises(ValueError, match="key 'euros' is a floating point number; make it a whole one"):
        replace(STREAM, steps=({"euros": pl.col("cents") / 100},), windows=(window,)).expect_fits(SALES)


def test_a_step_that_looks_at_other_events_is_refused() -> None:
    with pytest.raises(ValueError, match="a step looks at one event at a time"):
        replace(STREAM, steps=({"change": pl.col("cents").diff()},))
    with pytest.raises(ValueError, match="cannot be replaced"):
        replace(STREAM, steps=({"at": pl.lit(START)},))


def test_a_declaration_is_held_to_its_contract() -> None:
    with pytest.raises(ValueError, match="event_time 'shop' must be a timestamp of sales; it is a text"):
        replace(STREAM, event_time="shop").expect_fits(SALES)
    with pytest.raises(ValueError, match="event_time 'when' must be a timestamp of sales; it is no column"):
        replace(STREAM, event_time="when").expect_fits(SALES)
    optional = changed(SALES, columns={**SALES.columns, "at": column(datetime, "When.")})
    with pytest.raises(ValueError, match="may be empty in sales; make the column required"):
        STREAM.expect_fits(optional)
    with pytest.raises(ValueError, match="no columns \\['town'\\] after its steps"):
        replace(STREAM, windows=(replace(BY_MINUTE, keys=("town",)),)).expect_fits(SALES)
    with pytest.raises(ValueError, match="a step does not fit sales"):
        replace(STREAM, steps=(pl.col("town") == "x",)).expect_fits(SALES)
    with pytest.raises(ValueError, match="the contract of sales refuses"):
        replace(STREAM, lands=True).expect_fits(changed(SALES, unknown_columns="refuse"))


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"late": "drop"}, "late is 'drop'; expected 'quarantine' or 'update'"),
        ({"format": "xml"}, "format is 'xml'; expected 'auto', 'json', .* or 'debezium'"),
        ({"lateness": 5}, "lateness is 5; expected timedelta"),
        ({"windows": BY_MINUTE}, "windows is of type Tumbling; expected a tuple of Tumbling, Hopping or Session"),
        ({"steps": pl.col("cents") > 0}, "steps is of type Expr; expected a tuple of Expr, Mapping or AsOf"),
    ],
)
def test_a_value_of_another_type_is_refused_where_it_is_declared(said: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        replace(STREAM, **said)


def test_a_key_that_is_a_text_is_no_list_of_its_letters() -> None:
    with pytest.raises(ValueError, match="keys is of type str; expected a tuple of str"):
        replace(BY_MINUTE, keys="shop")


def test_a_step_that_fails_is_said_without_the_plan_of_the_query() -> None:
    with pytest.raises(ValueError, match="unable to find column") as refused:
        replace(STREAM, steps=(pl.col("town") == "x",)).expect_fits(SALES)
    assert "plan" not in str(refused.value)


def test_a_stream_of_which_nothing_is_made_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing is made of its events"):
        replace(STREAM, windows=(), lands=False)


def test_spans_of_windows_are_checked() -> None:
    values = {"sales": pl.len()}
    with pytest.raises(ValueError, match="every of at least a second"):
        Tumbling(name="some", every=timedelta(milliseconds=5), values=values)
    with pytest.raises(ValueError, match="in 3,600 of its spans; expected at most 1000"):
        Hopping(name="some", size=HOUR, every=timedelta(seconds=1), values=values)
    with pytest.raises(ValueError, match="a session is that of a key"):
        Session(name="some", gap=HOUR, values=values)
    with pytest.raises(ValueError, match="named twice"):
        Tumbling(name="some", every=HOUR, keys=("sales",), values=values)
    price = {"price": pl.col("cents").mean(), "first_at": pl.len()}
    with pytest.raises(ValueError, match=r"\['first_at', 'price_sum'\] are named twice"):
        Tumbling(name="some", every=HOUR, keys=("price_sum",), values=price)
    with pytest.raises(ValueError, match="has no values"):
        Tumbling(name="some", every=HOUR, values={})


def test_lookups_and_joins_are_checked() -> None:
    shops = AsOf(name="shops", relation="marts.shops", keys=("shop",), columns={"town": pl.String})
    town = replace(STREAM, steps=(shops, pl.col("town") != "x"), windows=(replace(BY_MINUTE, keys=("town",)),))
    town.expect_fits(SALES)
    with pytest.raises(ValueError, match=r"the lookups \['shops'\] are declared twice"):
        replace(STREAM, steps=(shops, shops))
    with pytest.raises(ValueError, match=r"expected schema.table; found relation 'shops'"):
        replace(shops, relation="shops")
    with pytest.raises(ValueError, match=r"\['at'\] cannot be replaced"):
        replace(STREAM, steps=(replace(shops, columns={"at": pl.Int64}),))
    with pytest.raises(ValueError, match="it joins itself"):
        replace(STREAM, joins=(Within(name="some", stream="sales", keys=("shop",), before=HOUR),))
    with pytest.raises(ValueError, match="expected before or after above 0"):
        Within(name="some", stream="visits", keys=("shop",))
    with pytest.raises(ValueError, match=r"\['cents'\] are named twice; rename them in other_columns"):
        Within(
            name="some",
            stream="visits",
            keys=("shop",),
            before=HOUR,
            columns=("cents",),
            other_columns={"cents": "cents"},
        )


def test_a_broken_stream_costs_itself_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "streams_of_a_test"
    for folder in ("", "shop", "shop/streams"):
        (package / folder).mkdir(exist_ok=True)
        (package / folder / "__init__.py").touch()
    text = (
        "from datetime import timedelta\nfrom dataclasses import replace\nfrom lastmile.streaming import Within\n"
        "from streamed import STREAM\nstream = replace(STREAM, {})\n"
    )
    join = "Within(name='pairs_of_{0}_{1}', stream='{0}', keys=('{1}',), before=timedelta(hours=1))"
    for name, changes in {
        "good": "name='good'",
        "same": "name='same'",
        "unknown": "name='unknown', contract='visits'",
        "alone": f"name='alone', windows=(), joins=({join.format('elsewhere', 'shop')},)",
        "unlike": f"name='unlike', windows=(), joins=({join.format('good', 'town')},)",
        "joined": f"name='joined', windows=(), joins=({join.format('good', 'shop')},)",
    }.items():
        (package / f"shop/streams/{name}.py").write_text(text.format(changes))
    monkeypatch.syspath_prepend(tmp_path)
    found = load_streams(package.name, {"sales": SALES})
    assert list(found) == ["good", "joined"]
    whys = {one.file.rpartition("/")[2]: one.why for one in found.broken}
    assert "is declared by stream 'good' already" in whys["same.py"]
    assert "no dataset 'visits'; there are: sales" in whys["unknown.py"]
    assert "no stream 'elsewhere'; there are: " in whys["alone.py"]
    assert "this stream has no columns ['town'] after its steps" in whys["unlike.py"]
    assert stream_of("good", found).name == "good"
    with pytest.raises(UserError, match=r"unknown\.py is left out"):
        stream_of("unknown", found)
