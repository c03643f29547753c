"""What is declared, and how datasets stand, over HTTP."""

from datetime import timedelta

import pytest
from declaring import changed

from lastmile.catalogue.describing import catalogue
from lastmile.catalogue.entries import Catalogue, FeatureSetEntry, Input, Relation, RelationColumn
from lastmile.catalogue.published import publish, version


@pytest.fixture
def viewer(api):
    with api.to("viewer") as client:
        yield client


@pytest.fixture
def declared(here, site):
    """A feature set and a relation more."""
    number = Input(name="persons", kind="numeric", ge=0)
    more = Catalogue(
        datasets=catalogue([site.contract]).datasets,
        feature_sets={
            "teams": FeatureSetEntry(
                name="teams", description="Teams.", owner="team:x", entity=["visit"], group="visit", key=["visit"],
                newest_by=[], partition_column="partition_start", inputs=[number], targets=["outcome"],
                datasets=["visits"], sources=["marts.visits_year"],
            )
        },
        relations={"marts.visits_year": Relation(
            name="visits_year", db_schema="marts", columns=[RelationColumn(name="visit", type="text")], key=["visit"]
        )},
    )  # fmt: skip
    publish(site.connection, more)
    return more


def test_a_dataset_shows_its_contract_and_how_it_stands(viewer, site):
    site.put_rows("a.csv", "v1,1,1,1,done", "v2,-1,1,1,done")
    site.put_rows("b.csv", "v3,1,1,1,done", year="2021")
    site.discover()
    site.take(partitions=["2020"])
    (summary,) = viewer.get("/datasets").json()
    assert (summary["name"], summary["owner"], summary["columns"], summary["backlog"]) == (
        "visits", site.contract.owner, 5, 1
    )  # fmt: skip
    assert summary["rows"] == {"read": 2, "loaded": 1, "quarantined": 1, "duplicate": 0}
    assert [drop["key"] for drop in summary["last_drops"]] == ["landing/visits/2021/b.csv", "landing/visits/2020/a.csv"]
    found = viewer.get("/datasets/visits").json()
    assert [(one["partition"], one["loaded"], one["waiting"]) for one in found["partitions"]] == [
        ("2021", 0, 1), ("2020", 1, 0)
    ]  # fmt: skip
    columns = {column["name"]: column for column in found["contract"]["columns"]}
    assert (columns["persons"]["unit"], columns["hours"]["aliases"]) == ("persons", ["duration"])


def test_a_dataset_without_drops_is_listed_too(viewer):
    (summary,) = viewer.get("/datasets").json()
    assert (summary["drops"], summary["freshness"]) == (
        {}, {"newest_at": None, "expected_every_seconds": None, "stale": False}
    )  # fmt: skip


def test_a_dataset_is_stale_when_nothing_came_for_longer_than_expected(viewer, site):
    publish(site.connection, catalogue([changed(site.contract, expected_every=timedelta(days=1))]))
    site.arrive("a.csv", "v1,1,1,1,done")
    assert viewer.get("/datasets").json()[0]["freshness"]["stale"] is False
    site.query("UPDATE ledger.drops SET modified_at = now() - interval '2 days' RETURNING id")
    assert viewer.get("/datasets").json()[0]["freshness"]["stale"] is True


@pytest.mark.parametrize("path", ["/datasets", "/datasets/visits", "/features", "/relations"])
def test_what_has_not_changed_is_not_sent_again(viewer, site, path):
    tag = viewer.get(path).headers["etag"]
    again = viewer.get(path, headers={"If-None-Match": f'"other", W/{tag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    site.arrive("a.csv", "v1,1,1,1,done")
    assert viewer.get(path, headers={"If-None-Match": tag}).status_code == (200 if "datasets" in path else 304)


def test_feature_sets_and_relations_are_listed(declared, viewer):
    assert viewer.get("/features").json() == [declared.feature_sets["teams"].model_dump(mode="json")]
    assert viewer.get("/features/teams").json()["inputs"][0]["ge"] == 0
    assert viewer.get("/relations").json() == [declared.relations["marts.visits_year"].model_dump(mode="json")]
    assert viewer.get("/relations/marts/visits_year").json()["key"] == ["visit"]


@pytest.mark.parametrize("path", ["/datasets/none", "/features/none", "/relations/marts/none"])
def test_what_is_not_declared_is_not_found(viewer, path):
    answer = viewer.get(path)
    assert (answer.status_code, "lists those there are" in answer.json()["detail"]) == (404, True)


@pytest.mark.parametrize("path", ["/datasets", "/features", "/relations"])
def test_a_device_may_not_read_it(api, path):
    assert api(f"/api/v1{path}").status_code == 401
    with api.to("device") as device:
        assert device.get(path).status_code == 403


def test_the_version_of_what_is_published_changes_with_it(site):
    publish(site.connection, catalogue([site.contract]))
    first = version(site.connection)
    publish(site.connection, catalogue([site.contract]))
    assert version(site.connection) == first
    publish(site.connection, Catalogue())
    assert version(site.connection) != first
