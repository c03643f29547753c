"""From an API to the report of users, posts and top posts: real ones, whose ranks are all ties, and made ones."""

import csv
import io
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from community import fetch_and_ingest, made, real, serve
from rest_server import Api, api_server

from assets.community.reports.community import report
from lastmile.learning.report_data import ReportData
from lastmile.orchestration.learning.reports import render

BUILD = ["build", "--exclude-resource-type", "unit_test", "--select", "+path:models/marts/community"]
AT = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    with api_server() as one:
        monkeypatch.setenv("LASTMILE_SOURCE_COMMUNITY_URL", one.url)
        yield one


@pytest.fixture
def reported(api, warehouse, store, contracts):
    def reported(records):
        serve(api, records)
        fetch_and_ingest(warehouse.connection, store, contracts)
        warehouse.run(*BUILD)
        found = report.contents(ReportData(warehouse.connection, store.url))
        template = Path("assets/community/reports") / report.template
        page = render(template, {**found, "made_at": AT, "run_id": "a run"})
        return found, page, report.files({**found, "made_at": AT})

    return reported


def ranks(files, name, of):
    return [(int(row["rank"]), int(row["sharing_rank"]), int(row[of])) for row in rows(files, name)]


def rows(files, name):
    return list(csv.DictReader(io.StringIO(files[f"{name}.csv"].decode())))


def test_the_real_community_is_all_ties_and_said_to_be(reported, warehouse, shared_data):
    records = real(shared_data)
    found, page, files = reported(records)
    text = " ".join(re.sub(r"<[^>]+>", " ", page).split())
    assert "10 users share the first rank with 10 posts each" in text
    assert "100 posts share the first rank with 5 comments each" in text
    assert ranks(files, "users", "posts") == [(1, 10, 10)] * 10
    assert ranks(files, "top_posts", "comments") == [(1, 100, 5)] * 100
    assert report.summary(found)["comments"] == 500
    assert_whole_and_in_parts(warehouse, records["users"])
    assert warehouse.select("SELECT count(*) FROM raw.posts WHERE body LIKE E'%\\n%'") == [(100,)]


def assert_whole_and_in_parts(warehouse, users):
    """Nested parts are columns, and what was sent is kept."""
    found = warehouse.select(
        "SELECT id, street, suite, city, zipcode, lat, lng, company_name, company_catch_phrase, company_business,"
        " address, phone, email FROM raw.users ORDER BY id"
    )
    assert found == [
        (
            one["id"], *(one["address"][part] for part in ("street", "suite", "city", "zipcode")),
            one["address"]["geo"]["lat"], one["address"]["geo"]["lng"],
            *(one["company"][part] for part in ("name", "catchPhrase", "bs")), one["address"], one["phone"],
            one["email"],
        )
        for one in users
    ]  # fmt: skip


def test_who_is_first_is_first_and_equal_ones_share_a_rank_in_csv_and_json(reported):
    _, page, files = reported(made(posts=[1, 3, 1, 0], comments=[2, 5, 5, 1, 0]))
    assert ranks(files, "users", "posts") == [(1, 1, 3), (2, 2, 1), (2, 2, 1), (4, 1, 0)]
    assert ranks(files, "posts", "comments") == [(1, 2, 5), (1, 2, 5), (3, 1, 2), (4, 1, 1), (5, 1, 0)]
    assert [row["post_id"] for row in rows(files, "posts")] == ["2", "3", "1", "4", "5"]
    assert "One user is first, with 3 posts" in page
    assert set(files) == {f"{name}.{kind}" for name in ("users", "posts", "top_posts") for kind in ("csv", "json")}
    for name in ("users", "posts", "top_posts"):
        document = json.loads(files[f"{name}.json"])
        assert document["made_at"] == "2026-01-31T09:30:00+00:00"
        assert {row["made_at"] for row in rows(files, name)} == {document["made_at"]}
        assert [str(row["rank"]) for row in document[name]] == [row["rank"] for row in rows(files, name)]


def test_fetched_again_on_the_same_day_the_newest_counts(reported, warehouse):
    reported(made(posts=[2, 1], comments=[1, 1]))
    _, _, files = reported(made(posts=[2, 3], comments=[1, 1, 4]))
    assert ranks(files, "users", "posts") == [(1, 1, 3), (2, 1, 2)]
    assert warehouse.select("SELECT count(*) FROM raw.posts") == [(5,)]


def test_a_bad_coordinate_is_kept_as_it_was_sent_and_is_never_zero(reported, warehouse):
    sent = ["abc", "", "95.0", None, "0x10"]
    records = made(posts=[1] * len(sent), comments=[1])
    for user, latitude in zip(records["users"], sent, strict=True):
        user["address"]["geo"]["lat"] = latitude
    reported(records)
    found = warehouse.select("SELECT lat, latitude, lng, longitude FROM raw.users ORDER BY id")
    assert found == [(latitude, None, "36.8", 36.8) for latitude in sent]
    assert set(warehouse.select("SELECT latitude, longitude FROM marts.dim_community_user")) == {(None, 36.8)}


def test_before_anything_was_fetched_the_page_says_so(database_url, store):
    with psycopg.connect(database_url) as connection:
        found = report.contents(ReportData(connection, store.url))
    page = render(Path("assets/community/reports") / report.template, {**found, "made_at": AT, "run_id": "a run"})
    assert "No users were fetched yet" in page
