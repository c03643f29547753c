"""What the API answers, and that it answers every mistake in one form."""

import pytest

from lastmile.operations.status import summary
from lastmile.warehouse.dbt.artifacts import DOCUMENTATION


@pytest.fixture
def ingested(site):
    """Two drops ingested, of which one was quarantined whole, and one waiting; a row is quarantined too."""
    site.arrive("a.csv", "v1,3,2,1,done", "v2,bad,2,1,done", "v3,3,2,1,done")
    site.arrive("b.csv", "v4,bad,2,1,done", year="2021")
    site.put_rows("c.csv", "v5,3,2,1,done")
    site.discover()
    return site


@pytest.mark.behaviour(number=31)
def test_state_lag_and_backlog_are_answered_as_the_command_line_shows_them(ingested, api):
    status, expected = api("/status").json(), summary(ingested.connection, ingested.store.url)
    assert status["backlog"] == 1
    assert status["drops"] == {"discovered": 1, "loaded": 1, "quarantined": 1}
    assert status["rows"] == {"read": 4, "loaded": 2, "quarantined": 2, "duplicate": 0}
    assert status["undecided"] == {"rows": 1, "drops": 1}
    moving = ("lag_seconds", "newest_age_seconds")
    for found, named in ((status, expected), (api("/datasets/visits").json(), expected["datasets"]["visits"])):
        assert {name: found[name] for name in named if name not in (*moving, "datasets")} == {
            name: value for name, value in named.items() if name not in (*moving, "datasets")
        }


@pytest.mark.behaviour(number=31)
def test_a_drop_is_answered_with_all_that_happened_to_it(ingested, api):
    first = api("/drops/1").json()
    assert (first["key"], first["state"], first["rows_quarantined"]) == ("landing/visits/2020/a.csv", "loaded", 1)
    assert [event["state"] for event in first["events"]] == ["discovered", "claimed", "loaded"]


def test_pages_show_every_drop_once_newest_first_while_more_come_in(site, api):
    for number in range(5):
        site.put_rows(f"{number}.csv", f"v{number},3,2,1,done")
    site.discover()
    shown, path = [], "/drops?dataset=visits&partition=2020&state=discovered&limit=2"
    page = api(path).json()
    while True:
        shown += [drop["key"][-5] for drop in page["drops"]]
        if page["after"] is None:
            break
        site.put_rows(f"later{len(shown)}.csv", "v9,3,2,1,done")
        site.discover()
        page = api(f"{path}&after={page['after']}").json()
    assert shown == ["4", "3", "2", "1", "0"]


def test_the_documentation_of_the_warehouse_is_a_page_once_it_was_made(site, api):
    assert api("/dbt").status_code == 404
    assert "materialize the asset reports/dbt" in api("/dbt").json()["detail"]
    site.store.put(DOCUMENTATION, b"<html>all models</html>")
    page = api("/dbt")
    assert (page.status_code, page.headers["content-type"], page.text) == (
        200,
        "text/html; charset=utf-8",
        "<html>all models</html>",
    )


def test_drops_are_picked_by_dataset_partition_and_state(ingested, api):
    def ids(query):
        return [drop["id"] for drop in api(f"/drops?{query}").json()["drops"]]

    assert ids("partition=2021") == [2]
    assert ids("state=loaded") == [1]
    assert ids("dataset=visits&limit=1000") == [3, 2, 1]
    assert ids("dataset=nothing") == []


MISTAKES = {
    "/drops/999": (404, "there is no drop 999"),
    "/datasets/nothing": (404, "no drop of a dataset 'nothing' was ever found"),
    "/drops?limit=0": (422, "limit: expected greater than or equal to 1, found '0'"),
    "/drops?state=lost": (422, "found 'lost'"),
    "/drops?dataset=%00": (422, "dataset: "),
    "/drops?after=99999999999999999999": (422, "after: "),
    "/drops/first": (422, "drop: expected a valid integer"),
    "/nowhere": (404, "nothing answers GET /nowhere; /docs shows what there is"),
}


def test_every_mistake_is_reported_in_one_form(site, api):
    for path, (status, said) in MISTAKES.items():
        answer = api(path)
        assert (path, answer.status_code, answer.headers["content-type"]) == (path, status, "application/problem+json")
        assert answer.json()["status"] == status
        assert said in answer.json()["detail"]


def test_nothing_can_be_changed(ingested, api):
    before = ingested.drops()
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert api("/drops/1", method).status_code == 405
    assert ingested.drops() == before


def test_it_says_what_it_answers(site, api):
    answers = {"/status", "/datasets/{name}", "/drops", "/drops/{drop}", "/dbt", "/metrics"}
    assert answers | {"/api/v1/health/live"} <= set(api("/openapi.json").json()["paths"])
    assert "/docs/assets/swagger-ui-bundle.js" in api("/docs").text
    assert api("/docs/assets/swagger-ui-bundle.js").status_code == 200


def test_it_is_ready_only_while_the_database_answers(site, api):
    ready = {"database": "ready", "migrations": "ready", "daemon": "away", "store": "ready"}
    assert api("/ready").json() == api("/api/v1/health/ready").json() == ready
    site.connection.execute("ALTER SCHEMA ledger RENAME TO gone")
    try:
        answer = api("/ready")
        assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
        assert "the database is not ready" in answer.json()["detail"]
        assert api("/health").status_code == 200
    finally:
        site.connection.execute("ALTER SCHEMA gone RENAME TO ledger")
    assert api("/ready").status_code == 200


def test_it_stays_ready_while_newer_code_has_migrated_the_database_but_not_before_older_code_has(site, api):
    (revision,) = site.query("SELECT version_num FROM ledger.alembic_version")
    try:
        site.connection.execute("UPDATE ledger.alembic_version SET version_num = '9999'")
        assert api("/ready").json()["migrations"] == "newer"
        site.connection.execute("UPDATE ledger.alembic_version SET version_num = '0001'")
        assert "`lastmile migrate`" in api("/ready").json()["detail"]
    finally:
        site.connection.execute("UPDATE ledger.alembic_version SET version_num = %s", [revision["version_num"]])


def test_it_goes_on_after_its_connections_were_cut(ingested, api):
    before = api("/drops").json()
    ingested.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    assert api("/drops").json() == before
