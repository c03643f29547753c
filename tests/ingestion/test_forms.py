"""Submissions of forms: from the shapes of Kobo and ODK to rows, and what is in force in whatever order they come."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import hypothesis
import hypothesis.strategies as st
import orjson
import pytest
from submitted_forms import CONTRACTS, HOUSEHOLD, NOW, V1, V2, V3, V4, central, event, kobo, review
from visits import Site

from lastmile.contracts import Form
from lastmile.contracts.form import check
from lastmile.contracts.names import normal_name
from lastmile.contracts.partition import Partition
from lastmile.errors import UserError
from lastmile.ingestion.submissions.forms import kobo as kobo_json
from lastmile.ingestion.submissions.forms import odk as odk_json
from lastmile.ingestion.submissions.forms.decoding import decoded
from lastmile.ingestion.submissions.forms.history import Kept, Standing, standing
from lastmile.ingestion.submissions.forms.keeping import submit
from lastmile.ingestion.submissions.forms.rows import Row, Target, coordinates, rows
from lastmile.ingestion.submissions.forms.version import Version, loaded
from lastmile.ingestion.submissions.gatherer import step

TARGETS = {
    name: Target(
        contract.partition,
        {normal_name(header): column for header, column in contract.headers.exact.items()},
    )
    for name, contract in CONTRACTS.items()
}


def versions(found: Any, minute: int = 0) -> list[Version]:
    text = decoded(orjson.dumps(found))
    now = NOW + timedelta(minutes=minute)
    is_kobo = isinstance(found, dict) and "_uuid" in found
    return kobo_json.versions(text, now) if is_kobo else odk_json.versions(text, now, HOUSEHOLD.repeats)


def stands(*found: Any) -> Standing:
    """How the submission stands after these deliveries."""
    every = [one for minute, some in enumerate(found) for one in versions(some, minute)]
    return standing([Kept(place, one) for place, one in enumerate(every, 1)])


def rows_of(*found: Any) -> list[Row]:
    answers = stands(*found).answers
    assert answers
    return rows(HOUSEHOLD, TARGETS, answers)


HOUSE = {
    "hhid": "ke_pilot_2024_0001",
    "id_form": "ke_pilot_2024",
    "year": "2024",
    "country": "kenya",
    "gps_lat": "-1.28333",
    "gps_lon": "36.81667",
    "hh_size_members": "5",
    "household_type": "couple",
    "foodshortage_months": "jan feb nov",
    "farm/photo": "1709618400123.jpg",
}
OWN = {"hhid": "ke_pilot_2024_0001"}


@pytest.mark.parametrize("found", [kobo(V1), central(), event(V1)], ids=["kobo", "odk", "xml"])
def test_groups_repeats_and_places_become_the_same_rows_from_every_system(found: Any) -> None:
    house, maize, beans, goats = rows_of(found)
    area = house.values.pop("land_owned_ha")
    assert (float(area), house) == (1.2, Row("hhinfo", "", HOUSE))
    assert maize == Row("crop", "/crop_repeat/1", OWN | {"name": "maize", "harvest_kg": "100", "use_list": "eat sell"})
    assert beans.place == "/crop_repeat/2"
    assert goats == Row("lstk", "/lstk_repeat/1", OWN | {"name": "goats", "n": "4"})


def test_a_repeat_with_one_entry_or_none_is_a_repeat_in_xml_as_well() -> None:
    assert [row.dataset for row in rows_of(event(V1, crops=("maize",)))] == ["hhinfo", "crop", "lstk"]
    assert [row.dataset for row in rows_of(event(V1, crops=()))] == ["hhinfo", "lstk"]


def test_repeats_that_the_feed_does_not_expand_stay_as_they_were_known() -> None:
    assert len(rows_of(central(expanded=False))) == 1
    after = rows_of(central(), central(1, "edited", members=7, expanded=False))
    assert [row.dataset for row in after] == ["hhinfo", "crop", "crop", "lstk"]
    assert after[0].values["hh_size_members"] == "7"


@pytest.mark.parametrize(
    "place",
    [
        "-1.5 36.25 1661.0 4.5",
        {"type": "Point", "coordinates": ["36.25", "-1.5", "1661.0"], "properties": {"accuracy": "4.5"}},
        "POINT (36.25 -1.5 1661.0)",
    ],
)
def test_a_place_is_read_in_every_form(place: Any) -> None:
    assert coordinates(place)[:3] == ["-1.5", "36.25", "1661.0"]


@hypothesis.given(st.none() | st.text() | st.dictionaries(st.text(), st.text() | st.none() | st.lists(st.text())))
def test_what_is_no_place_costs_no_submission(place: Any) -> None:
    assert len(coordinates(place)) >= 2


def test_a_question_is_a_column_by_its_name_or_by_its_whole_path_and_nothing_is_lost() -> None:
    form = Form(name="f", dataset="d", description="", owner="")
    target = Target(Partition("year", NOW.date()), {"b": "b", "x_c": "x_c"})
    (version,) = versions(
        {"_uuid": "1", "a/b": "1", "z/b": "2", "x/c": "3", "y/c": "4", "z/list": ["p", "q"], "email": "e@example.org"}
    )
    assert version.answers
    (row,) = rows(form, {"d": target}, version.answers)
    assert row.values == {"b": "1", "z/b": "2", "x_c": "3", "y/c": "4", "z/list": "p q"}


def test_repeats_within_repeats_inherit_from_all_above() -> None:
    form = Form(
        name="f", dataset="d", description="", owner="", repeats={"plot": "plots", "crop": "crops"}, inherit=("h", "p")
    )
    columns = {one: one for one in ("h", "p", "c")}
    targets = {name: Target(Partition("year", NOW.date()), columns) for name in form.datasets}
    found = {
        "_uuid": "1",
        "h": "h1",
        "plot": [{"plot/p": "p1", "plot/crop": [{"plot/crop/c": "maize"}, {"plot/crop/c": "beans"}]}, {"plot/p": "p2"}],
    }
    (version,) = versions(found)
    assert version.answers
    made = rows(form, targets, version.answers)
    assert [(row.dataset, row.place, row.values) for row in made] == [
        ("d", "", {"h": "h1"}),
        ("plots", "/plot/1", {"h": "h1", "p": "p1"}),
        ("crops", "/plot/1/crop/1", {"h": "h1", "p": "p1", "c": "maize"}),
        ("crops", "/plot/1/crop/2", {"h": "h1", "p": "p1", "c": "beans"}),
        ("plots", "/plot/2", {"h": "h1", "p": "p2"}),
    ]


@pytest.mark.parametrize(
    ("found", "state"),
    [
        ([kobo(V1)], "received"),
        ([kobo(V1, status="on_hold")], "issues"),
        ([kobo(V1), kobo(V1, status="not_approved")], "rejected"),
        ([kobo(V1, status="not_approved"), kobo(V2, V1, status="approved")], "approved"),
        ([kobo(V2, V1), kobo(V1, status="not_approved")], "edited"),
        ([central(0, "rejected", minute=3), central(0, "approved", minute=5)], "approved"),
        ([central(0, "approved", minute=5), central(0, "rejected", minute=3)], "approved"),
        ([central(0, "rejected", minute=3), central(1, "edited", minute=4)], "edited"),
        ([event(V1), review("rejected")], "rejected"),
        ([review("rejected"), event(V1)], "rejected"),
        ([event(V1), review("rejected"), review("approved"), review("rejected")], "rejected"),
        ([event(V1), review("rejected"), event(V2, V1)], "edited"),
        ([central(0), review("hasIssues")], "issues"),
    ],
)
def test_the_newest_review_counts(found: Sequence[Any], state: str) -> None:
    assert stands(*found).review == state


def test_a_version_is_kept_as_it_was() -> None:
    for found in (kobo(V2, V1, status="approved"), central(2, "edited", expanded=False), event(V2, V1)):
        (version,) = versions(found)
        assert loaded(version.dumped()) == version


CHAINS: dict[str, list[Any]] = {
    "kobo": [
        kobo(V1),
        kobo(V2, V1, members=6, crops=("maize",)),
        kobo(V3, V1, V2, members=7, crops=()),
        kobo(V4, V1, V2, V3, members=8, crops=("sorghum", "beans", "rice")),
    ],
    "kobo without the first one's name": [
        kobo(V1, named=False),
        kobo(V2, V1, members=6, crops=("maize",), named=False),
        kobo(V3, V2, members=7, named=False),
        kobo(V4, V3, members=8, crops=("sorghum", "beans", "rice"), named=False),
    ],
    "kobo, rejected last": [
        kobo(V1),
        kobo(V2, V1, members=6),
        kobo(V2, V1, members=6, status="not_approved"),
    ],
    "odk": [
        central(),
        central(0, "rejected", minute=2),
        central(1, "edited", minute=4, members=6, crops=("maize",)),
        central(1, "approved", minute=6, members=6, crops=("maize",)),
        central(2, "edited", minute=8, members=8, crops=("sorghum", "beans", "rice")),
    ],
    "odk, deleted last": [central(), central(1, "edited", minute=3), central(1, "edited", minute=5, deleted=True)],
    "xml": [event(V1), event(V2, V1, members=6), event(V3, V2, members=8, crops=("sorghum", "beans", "rice"))],
}


def deliver(site: Site, found: Any, minute: int) -> None:
    with site.connection.transaction():
        submit(site.connection, HOUSEHOLD, TARGETS, versions(found, minute), "key:test")


def in_force(site: Site) -> list[tuple[str, Any]]:
    found = site.query("SELECT dataset, body FROM submissions.records WHERE in_force AND NOT withdrawn")
    return sorted((row["dataset"], sorted(orjson.loads(row["body"]).items())) for row in found)


@pytest.mark.parametrize(
    ("chain", "rows_in_force"), list(zip(CHAINS.values(), (5, 5, 0, 5, 0, 5), strict=True)), ids=CHAINS
)
def test_whatever_order_the_versions_come_in_it_ends_the_same(site: Site, chain: list[Any], rows_in_force: int) -> None:
    def ended(order: Sequence[int], gathers: Sequence[bool]) -> list[tuple[str, Any]]:
        site.connection.execute("TRUNCATE submissions.form_versions, submissions.records, submissions.objects CASCADE")
        for minute, place in enumerate(order):
            deliver(site, chain[place], minute)
            if gathers[minute % len(gathers)]:
                step(site.connection, site.store, lambda dataset: {})
        step(site.connection, site.store, lambda dataset: {})
        return in_force(site)

    expected = ended(range(len(chain)), [True])
    assert len(expected) == rows_in_force

    @hypothesis.settings(max_examples=20)
    @hypothesis.given(
        st.permutations(range(len(chain))),
        st.lists(st.integers(0, len(chain) - 1)),
        st.lists(st.booleans(), min_size=1),
    )
    def any_order(order: list[int], again: list[int], gathers: list[bool]) -> None:
        assert ended([*order, *again], gathers) == expected

    any_order()


def test_the_newest_version_is_in_force_and_its_repeats_replace_those_before(site: Site) -> None:
    for minute, found in enumerate(CHAINS["kobo"]):
        deliver(site, found, minute)
        step(site.connection, site.store, lambda dataset: {})
    found = in_force(site)
    assert [dataset for dataset, _ in found] == ["crop", "crop", "crop", "hhinfo", "lstk"]
    assert {dict(body)["name"] for dataset, body in found if dataset == "crop"} == {"beans", "rice", "sorghum"}
    assert {dict(body).get("hh_size_members") for dataset, body in found if dataset == "hhinfo"} == {"8"}


@pytest.mark.parametrize(
    ("deliveries", "rows_in_force"),
    [
        ([kobo(V1)], 4),
        ([kobo(V1), kobo(V1, status="not_approved")], 0),
        ([kobo(V1, status="not_approved")], 0),
        ([kobo(V1, status="not_approved"), kobo(V2, V1)], 4),
        ([central(), central(0, "rejected", minute=2), central(0, "approved", minute=4)], 4),
        ([central(), central(0, "rejected", minute=2)], 0),
        ([review("approved")], 0),
    ],
)
def test_rejected_submissions_are_withdrawn_and_come_back(
    site: Site, deliveries: list[Any], rows_in_force: int
) -> None:
    for minute, found in enumerate(deliveries):
        deliver(site, found, minute)
        step(site.connection, site.store, lambda dataset: {})
    assert len(in_force(site)) == rows_in_force


def test_the_same_delivery_ten_times_is_one(site: Site) -> None:
    for minute in range(10):
        deliver(site, kobo(V1), minute)
    assert site.query("SELECT count(*) AS n FROM submissions.records") == [{"n": 4}]
    assert site.query("SELECT count(*) AS n FROM submissions.form_versions") == [{"n": 1}]


def test_a_version_that_comes_late_changes_nothing(site: Site) -> None:
    deliver(site, kobo(V2, V1, members=6), 0)
    deliver(site, kobo(V1), 1)
    assert site.query("SELECT count(*) AS n FROM submissions.records") == [{"n": 4}]


@pytest.mark.parametrize(
    ("parse", "found"),
    [
        (kobo_json.versions, {}),
        (kobo_json.versions, "a text"),
        (kobo_json.versions, [1]),
        (kobo_json.versions, {"_uuid": "a\x00b"}),
        (kobo_json.versions, {"_uuid": "x" * 300}),
        (odk_json.versions, {}),
        (odk_json.versions, []),
        (odk_json.versions, {"__id": "1", "__system": {"reviewState": "maybe"}}),
        (odk_json.versions, {"type": "entity.update.version", "id": "1", "data": {}}),
        (odk_json.versions, {"type": "submission.create", "id": "1", "data": {"xml": "<data>"}}),
        (odk_json.versions, {"type": "submission.create", "id": "1", "data": {"xml": "<!DOCTYPE a><a/>"}}),
        (odk_json.versions, {"type": "submission.create", "id": "1", "data": {"xml": "<a>" * 5000 + "</a>" * 5000}}),
        (odk_json.versions, {"type": "submission.update", "id": "1", "data": {}}),
    ],
)
def test_what_is_no_submission_is_refused_with_what_was_expected(parse: Callable[..., Any], found: Any) -> None:
    with pytest.raises(UserError, match="expected"):
        parse(found, NOW)


def test_json_that_is_nested_too_deeply_is_refused() -> None:
    for depth in (100, 100_000):
        with pytest.raises(UserError, match="expected"):
            decoded(b"[" * depth + b"]" * depth)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"name": "House Hold"}, "a name of lower-case letters"),
        ({"accept": ("maybe",)}, "accept: expected some of received"),
        ({"accept": ()}, "no review state"),
        ({"repeats": {"r": "hhinfo"}}, "the form itself"),
        ({"points": {"gps": ()}}, "1 to 4 columns"),
        ({"dataset": "nothing"}, "there is no dataset 'nothing'"),
        ({"inherit": ("nothing",)}, "hhinfo has no column 'nothing'"),
        ({"partition": "nothing"}, "hhinfo has no column 'nothing'"),
        ({"points": {"gps": ("nothing",)}}, "has a column 'nothing'"),
    ],
)
def test_a_form_that_says_what_cannot_be_is_refused(changes: dict[str, Any], why: str) -> None:
    declared = {"name": "household", "dataset": "hhinfo", "description": "", "owner": ""} | changes
    with pytest.raises(UserError, match=why):
        check(Form(**declared), {name: contract.columns.keys() for name, contract in CONTRACTS.items()})
