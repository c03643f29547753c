"""Quality by rule over time, and what is quarantined: shown, released, discarded, corrected over HTTP."""

import pytest

from lastmile.access import audit

BAD = ("v1,1,1,1,done", "v2,-1,1,1,Maria Lopez", "v3,99,1,1,done", "v4,1,1,1,done", "v5,1,1,1,done", "v6,1,1,1,done")


@pytest.fixture
def arrived(site):
    """One drop with two bad rows of six."""
    site.arrive("a.csv", *BAD)
    return site


def entry(site, action):
    return next(one for one in audit.entries(site.connection, 9) if one["action"] == action)


def test_rules_are_counted_over_time(arrived, viewer):
    found = viewer.get("/quality/rules", params={"dataset": "visits", "column": "persons"}).json()
    assert {(one["rule"], one["rows"], one["read"]) for one in found} == {("at_least", 1, 6), ("at_most", 1, 6)}
    assert found[0]["share"] == pytest.approx(1 / 6)
    (by_partition,) = viewer.get("/quality/rules", params={"rule": "at_least", "bucket": "partition"}).json()
    assert by_partition["bucket"] == "2020"
    assert viewer.get("/quality/rules", params={"to": "2001-01-01"}).json() == []
    assert viewer.get("/quality/rules", params={"from": "9999-12-31", "to": "9999-12-31"}).json() == []
    assert len(viewer.get("/quality/rules", params={"from": "2001-01-01"}).json()) == 3


def test_a_drop_far_worse_than_usual_is_named(site, viewer):
    for number in range(8):
        bad = ["-1"] * (30 if number == 7 else 1)
        rows = [f"d{number}v{row},{value},1,1,done" for row, value in enumerate([*bad, *["1"] * 70])]
        site.arrive(f"{number}.csv", *rows)
    found = viewer.get("/quality/datasets/visits").json()
    assert [drop["bad"] for drop in found["drops"]] == [*[1] * 7, 30]
    assert (found["usual"], "30 of 100 rows" in found["anomaly"]) == (pytest.approx(1 / 71), True)
    assert viewer.get("/quality/datasets/none").status_code == 404


def test_checks_are_empty_without_dagster(viewer):
    assert viewer.get("/quality/checks").json() == []


def test_what_is_quarantined_is_shown_without_values_to_who_may_not_see_personal_columns(arrived, engineer, viewer):
    for path in ("/quarantine", "/quarantine/rows", "/quarantine/drops", "/quality/rules", "/quality/datasets/visits"):
        answer = viewer.get(path)
        assert (answer.status_code, "Maria" in answer.text) == (200, False), path
    assert "Maria Lopez" in engineer.get("/quarantine/rows").text
    found = viewer.get("/quarantine").json()
    assert (found["totals"]["rows"], found["undecided"]) == (2, {"rows": 2, "drops": 0})
    (row,) = viewer.get("/quarantine/rows", params={"rule": "at_most"}).json()["rows"]
    assert (row["line"], row["raw"], row["reasons"][0]["column"]) == (4, None, "persons")


def test_pages_show_each_row_once(site, viewer):
    site.arrive("a.csv", *BAD, "v1,1,1,1,done")
    site.arrive("b.csv", *(row.replace("v", "w") for row in BAD))
    everything = viewer.get("/quarantine/rows").json()
    seen, after = [], None
    for _ in range(9):
        page = viewer.get("/quarantine/rows", params={"limit": 2, **({"after": after} if after else {})}).json()
        seen += page["rows"]
        if (after := page["after"]) is None:
            break
    assert (seen, everything["after"], len(seen)) == (everything["rows"], None, 5)


def test_drops_quarantined_whole_are_listed_page_by_page(site, viewer, engineer):
    for number in range(3):
        site.arrive(f"{number}.csv", f"a{number},-1,1,1,done", f"b{number},-1,1,1,done")
    first = viewer.get("/quarantine/drops", params={"limit": 2}).json()
    second = viewer.get("/quarantine/drops", params={"limit": 2, "before": first["before"]}).json()
    assert ([one["id"] for one in first["drops"]], [one["id"] for one in second["drops"]]) == ([3, 2], [1])
    assert second["before"] is None
    assert engineer.get("/quarantine/drops").json()["drops"][0]["message"]
    assert first["drops"][0]["message"] is None


def test_a_dry_run_only_counts(arrived, engineer):
    wanted = {"dataset": "visits", "why": "mended", "dry_run": True}
    assert engineer.post("/quarantine/release", json=wanted).json()["rows"] == 2
    assert engineer.post("/quarantine/discard", json=wanted).json() == {"rows": 2, "drops": 0, "dry_run": True}
    assert engineer.get("/quarantine").json()["undecided"]["rows"] == 2


def test_what_is_released_is_ingested_again_by_the_next_run(arrived, engineer, viewer):
    answer = engineer.post("/quarantine/release", json={"drop": 1, "column": "persons", "why": "limits raised"})
    assert answer.status_code == 202
    assert (answer.json()["rows"], answer.json()["requested"], answer.json()["daemon"]) == (2, [1], "away")
    arrived.take()
    assert arrived.visits() == ["v1", "v4", "v5", "v6"]  # they still break the contract
    done = entry(arrived, "release quarantined")
    assert (done["subject"], done["rows"]) == ("drop 1 column persons", 2)
    assert "limits raised" in str(arrived.query("SELECT message FROM ledger.events WHERE drop_id = 1"))


def test_what_is_discarded_is_listed_on_request_only(arrived, engineer):
    wanted = {"drop": 1, "lines": [3], "why": "trial interviews"}
    assert engineer.post("/quarantine/discard", json=wanted).json()["rows"] == 1
    assert [row["line"] for row in engineer.get("/quarantine/rows").json()["rows"]] == [4]
    found = engineer.get("/quarantine/rows", params={"discarded": True}).json()["rows"]
    assert [(row["line"], row["discarded_why"]) for row in found] == [(3, "trial interviews"), (4, None)]
    assert entry(arrived, "discard quarantined")["rows"] == 1


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"why": "x"}, "say what"),
        ({"lines": [3], "dataset": "visits", "why": "x"}, "say which with `drop`"),
        ({"dataset": "visits"}, "why"),
        ({"dataset": "visits", "why": " "}, "why"),
        ({"dataset": "none", "why": "x"}, "no drop of dataset 'none'"),
        ({"drop": 77, "why": "x"}, "no drop 77"),
    ],
)
def test_a_decision_about_nothing_is_refused(arrived, engineer, wanted, said):
    for path in ("/quarantine/release", "/quarantine/discard"):
        answer = engineer.post(path, json=wanted)
        assert (answer.status_code in (409, 422), said in answer.json()["detail"]) == (True, True), answer.text


def test_only_who_may_release_decides(arrived, api, viewer):
    wanted = {"dataset": "visits", "why": "x"}
    for path in ("/quarantine/release", "/quarantine/discard", "/quarantine/correct"):
        assert viewer.post(path, json=wanted).status_code == 403
        assert api(f"/api/v1{path}", "POST", json=wanted).status_code == 401
