"""What streams and followed databases bring, read over HTTP: in layers of their own, masked as any other table."""

from datetime import date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from declaring import dataset
from marts import CANARY, pages, read
from visits import Site

from lastmile.access.secret import derived
from lastmile.catalogue.brought import brought
from lastmile.catalogue.describing import catalogue
from lastmile.catalogue.published import publish
from lastmile.contracts import Partition, column
from lastmile.serving.reading.masking import pseudonym
from lastmile.sources import Changes, Setting
from lastmile.sources.changes.tables import Tables
from lastmile.streaming import Stream, Tumbling
from lastmile.streaming.windows.spans import Spans

BUYERS = dataset(
    name="buyers",
    description="Buyers of the shop.",
    partition=Partition("day", start=date(2026, 1, 1)),
    key=("phone",),
    columns={
        "phone": column(str, "Number.", required=True, personal=True),
        "name": column(str, "Who it is.", personal=True),
        "town": column(str, "Where."),
        "at": column(datetime, "When.", required=True),
    },
)
SOURCE = Changes(
    name="buyers_now",
    dataset="buyers",
    description="",
    owner="team:shop",
    url=Setting("LASTMILE_SOURCE_SHOP"),
    table="buyers",
)
VISITS = Stream(
    name="calls", description="Calls.", owner="team:shop", topic="calls", contract="buyers", event_time="at",
    windows=(Tumbling(name="calls_by_day", every=timedelta(days=1), keys=("phone", "town"), values={"n": pl.len()}),),
)  # fmt: skip


@pytest.fixture
def followed(site: Site, here: Any) -> Site:
    tables = brought({SOURCE.name: SOURCE}, {VISITS.name: VISITS}, {"buyers": BUYERS})
    publish(site.connection, catalogue([site.contract, BUYERS], brought=tables))
    Tables(SOURCE.name, BUYERS).ensure(site.connection)
    Spans(VISITS.name, "at", VISITS.windows[0], VISITS.schema(BUYERS)).prepare(site.connection)
    execute = site.connection.execute
    for number in range(1, 4):
        phone, image = f"p{number}", f'{{"phone": "p{number}", "name": "{CANARY}", "shoe": "{CANARY}"}}'
        execute(
            "INSERT INTO changes.buyers_now (phone, name, town, at, _key, _lsn)"
            " VALUES (%s, %s, 'Kayes', '2026-03-01Z', %s, %s)",
            [phone, CANARY, f'["{CANARY}{number}"]', f"0/{number}"],
        )
        execute(
            "INSERT INTO changes.buyers_now_history VALUES (1, %s, 0, 7, '2026-03-01Z', 'u', %s, %s, %s)",
            [f"0/{number}", f'["{CANARY}{number}"]', image, image],
        )
        execute(
            "INSERT INTO changes.buyers_now_images VALUES (%s, %s, %s)",
            [f'["{CANARY}{number}"]', f"0/{number}", image],
        )
        execute(
            "INSERT INTO windows.calls_by_day (phone, town, window_start, window_end, n)"
            " VALUES (%s, 'Kayes', '2026-03-01Z', '2026-03-02Z', %s)",
            [phone, number],
        )
    return site


@pytest.mark.usefixtures("followed")
def test_each_layer_has_its_tables(api):
    found = {one["layer"]: [table["name"] for table in one["tables"]] for one in api.to("viewer").get("/data").json()}
    assert found["changes"] == ["buyers_now", "buyers_now_history", "buyers_now_images"]
    assert found["windows"] == ["calls_by_day"]
    (described,) = [one for one in api.to("viewer").get("/relations").json() if one["name"] == "buyers_now_history"]
    assert [one["name"] for one in described["columns"] if one["personal"]] == ["key", "before", "after"]


@pytest.mark.usefixtures("followed")
@pytest.mark.parametrize("table", ["buyers_now", "buyers_now_history", "buyers_now_images"])
def test_changes_are_read_page_by_page_and_by_their_position(api, table):
    position = "_lsn" if table == "buyers_now" else "lsn"
    rows = pages(api.to("engineer"), f"/data/changes/{table}", limit=2)
    assert sorted(row[position] for row in rows) == ["0/1", "0/2", "0/3"]
    assert CANARY in str(rows)
    rows = pages(api.to("engineer"), f"/data/changes/{table}", limit=1, where=f"{position}.gt.0/1", sort=f"-{position}")
    assert [row[position] for row in rows] == ["0/3", "0/2"]
    answer = api.to("engineer").get(f"/data/changes/{table}", params={"where": f"{position}.gt.x"})
    assert (answer.status_code, "which 'x' is not" in answer.text) == (409, True)


@pytest.mark.usefixtures("followed")
@pytest.mark.parametrize("table", ["buyers_now", "buyers_now_history", "buyers_now_images"])
def test_who_may_not_see_personal_columns_gets_nothing_of_what_was_sent(api, table):
    analyst, secret = api.to("analyst"), derived(api.here.secret, "pseudonyms")
    for kind in ("json", "csv", "ndjson", "parquet", "arrow"):
        answer = analyst.get(f"/data/changes/{table}", params={"format": kind})
        frame = pl.DataFrame(answer.json()["rows"]) if kind == "json" else read(answer)
        assert len(frame) == 3
        assert CANARY.encode() not in answer.content
        if table == "buyers_now":
            assert set(frame["phone"].to_list()) == {pseudonym(f"p{number}", secret) for number in (1, 2, 3)}
            assert set(frame["town"].to_list()) == {"Kayes"}
    answer = analyst.get(f"/data/changes/{table}/statistics")
    assert (answer.status_code, answer.json()["rows"], CANARY in answer.text) == (200, 3, False)


@pytest.mark.usefixtures("followed")
def test_windows_are_read_with_people_as_pseudonyms(api):
    rows = pages(api.to("engineer"), "/data/windows/calls_by_day", limit=2, where="n.ge.2")
    assert sorted(row["phone"] for row in rows) == ["p2", "p3"]
    secret = derived(api.here.secret, "pseudonyms")
    rows = pages(api.to("analyst"), "/data/windows/calls_by_day")
    assert {row["phone"] for row in rows} == {pseudonym(f"p{number}", secret) for number in (1, 2, 3)}


@pytest.mark.usefixtures("followed")
def test_sql_reads_both_and_names_no_personal_column(api):
    def ask(role: str, statement: str) -> Any:
        return api.to(role).post("/data/query", json={"sql": statement})

    joined = "SELECT town, sum(n)::int FROM changes.buyers_now JOIN windows.calls_by_day USING (town) GROUP BY 1"
    assert ask("analyst", joined).json()["rows"] == [["Kayes", 18]]
    for hidden in ("phone, name", "_key", "*"):
        assert ask("analyst", f"SELECT {hidden} FROM changes.buyers_now").status_code == 409
    for hidden in ("before", "after", "key"):
        assert ask("analyst", f"SELECT {hidden} FROM changes.buyers_now_history").status_code == 409
    assert ask("analyst", "SELECT image FROM changes.buyers_now_images").status_code == 409
    assert CANARY in ask("engineer", "SELECT * FROM changes.buyers_now_history").text
