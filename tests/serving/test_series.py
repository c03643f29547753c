"""Aggregations and metrics over time, compared with the same in SQL."""

import pytest
from marts import with_mart


@pytest.fixture
def mart(site, here):
    return with_mart(site)


def aggregated(client, **query):
    answer = client.get("/aggregations", params={"layer": "marts", "table": "fct_visit", **query})
    assert answer.status_code == 200, answer.text
    return answer.json()["rows"]


def test_groups_and_buckets_are_measured(mart, api):
    rows = aggregated(
        api.to("viewer"),
        measure=["count", "mean:hours", "p90:hours", "distinct:outcome", "max:day"],
        bucket="month:day",
        by="ok",
        where="hours.gt.0",
    )
    expected = mart.query(
        "SELECT date_trunc('month', day)::date::text AS month_day, ok, count(*) AS count, avg(hours) AS mean_hours,"
        " percentile_cont(0.9) WITHIN GROUP (ORDER BY hours) AS p90_hours, count(DISTINCT outcome) AS distinct_outcome,"
        " max(day)::text AS max_day FROM marts.fct_visit WHERE hours > 0 GROUP BY 1, 2 ORDER BY 1, 2"
    )
    assert rows == expected


def test_without_groups_there_is_one_row(mart, api):
    assert aggregated(api.to("viewer")) == [{"count": 60}]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"measure": "mean:outcome"}, 409),
        ({"measure": "evil:hours"}, 409),
        ({"measure": "mean:nothing"}, 409),
        ({"bucket": "month:outcome"}, 409),
        ({"bucket": "eon:day"}, 409),
        ({"by": "nothing"}, 409),
        ({"by": ["ok", "ok"]}, 409),
        ({"by": "name"}, 403),
        ({"measure": "max:name"}, 403),
        ({"measure": "distinct:visit"}, 403),
        ({"where": "name.like.C"}, 403),
    ],
)
def test_what_cannot_be_measured_or_seen_is_refused(mart, api, query, status):
    answer = api.to("viewer").get("/aggregations", params={"layer": "marts", "table": "fct_visit", **query})
    assert answer.status_code == status


def test_more_groups_than_the_limit_are_said_to_be(mart, api):
    query = {"layer": "marts", "table": "fct_visit", "by": "day", "limit": 3}
    body = api.to("viewer").get("/aggregations", params=query).json()
    assert (len(body["rows"]), body["truncated"]) == (3, True)


def test_the_platform_s_metrics_are_those_of_its_drops(site, api):
    site.arrive("a.csv", "v1,3,2,1,done", "v2,3,2,1,wrong")
    client = api.to("viewer")
    values = {
        name: client.get(f"/metrics/{name}", params={"by": "dataset"}).json()["points"]
        for name in ("drops", "rows_read", "rows_loaded", "rows_quarantined", "bad_share")
    }
    assert {name: points[0]["value"] for name, points in values.items()} == {
        "drops": 1,
        "rows_read": 2,
        "rows_loaded": 1,
        "rows_quarantined": 1,
        "bad_share": 0.5,
    }
    assert values["drops"][0]["group"] == "visits"
    assert client.get("/metrics/drops", params={"to": "2000-01-01"}).json()["points"] == []
    for name in ("predictions", "performance", "drift"):
        assert client.get(f"/metrics/{name}").json()["points"] == []


def test_the_marts_metrics_are_as_declared(mart, api):
    client = api.to("viewer")
    assert {"drops", "drift", "mean_hours", "done"} <= {one["name"] for one in client.get("/metrics").json()}
    points = client.get("/metrics/mean_hours", params={"bucket": "week", "from": "2020-01-15"}).json()["points"]
    expected = mart.query(
        "SELECT date_trunc('week', day)::date::text AS time, avg(hours) AS value FROM marts.fct_visit"
        " WHERE day >= '2020-01-15' GROUP BY 1 ORDER BY 1"
    )
    assert [(one["time"], one["value"]) for one in points] == [(one["time"], one["value"]) for one in expected]
    assert {one["group"] for one in client.get("/metrics/done", params={"by": "outcome"}).json()["points"]} == {
        "done",
        "absent",
        None,
    }
    assert client.get("/metrics/done", params={"by": "name"}).status_code == 403
    assert client.get("/metrics/nothing").status_code == 404
    assert client.get("/metrics/drops", params={"by": "country"}).status_code == 409
