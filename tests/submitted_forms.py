"""Submissions of the household form as KoboToolbox and ODK Central send them: groups, two repeats, edits, reviews."""

from datetime import UTC, datetime
from typing import Any

from assets.household_survey.contracts.crop import contract as crop
from assets.household_survey.contracts.hhinfo import contract as hhinfo
from assets.household_survey.contracts.lstk import contract as lstk
from assets.household_survey.forms.household import form as household

CONTRACTS = {one.name: one for one in (hhinfo, crop, lstk)}
HOUSEHOLD = household

V1, V2, V3, V4 = (f"{number}f0a{number}c2e-9a41-4b7e-8f2d-3c5b7a9e1d0{number}" for number in range(1, 5))


def kobo(version: str, *before: str, members: int = 5, crops: tuple[str, ...] = ("maize", "beans"), **more: Any) -> Any:
    """A version of the submission, after the others given; `named=False` leaves out the first one's name."""
    named, status = more.pop("named", True), more.pop("status", {})
    found: dict[str, Any] = {
        "_id": 504238666,
        "formhub/uuid": "b1c55a4e0d2d4b0bb9a7e0b8f0f7b3de",
        "start": "2024-03-05T08:14:02.113+03:00",
        "end": "2024-03-05T09:01:45.020+03:00",
        "deviceid": "collect:1kP8xQ",
        "interview/hhid": "ke_pilot_2024_0001",
        "interview/id_form": "ke_pilot_2024",
        "interview/year": "2024",
        "interview/country": "kenya",
        "interview/place/gps": "-1.28333 36.81667 1661.0 4.5",
        "members/hh_size_members": str(members),
        "members/household_type": "couple",
        "food/foodshortage_months": "jan feb nov",
        "farm/land_owned_ha": "1.20",
        "farm/photo": "1709618400123.jpg",
        "farm/crop_repeat": [
            {
                "farm/crop_repeat/name": name,
                "farm/crop_repeat/harvest/harvest_kg": str(100 + place),
                "farm/crop_repeat/harvest/use_list": "eat sell",
            }
            for place, name in enumerate(crops)
        ],
        "lstk_repeat": [{"lstk_repeat/name": "goats", "lstk_repeat/n": "4"}],
        "__version__": "vRmQ7d2nWk5sXh",
        "meta/instanceID": f"uuid:{version}",
        "_xform_id_string": "aSAvYreNzVEkrWg5Gdcvg",
        "_uuid": version,
        "_attachments": [{"filename": "org/attachments/1709618400123.jpg", "mimetype": "image/jpeg"}],
        "_status": "submitted_via_web",
        "_geolocation": [-1.28333, 36.81667],
        "_submission_time": "2024-03-05T06:03:11",
        "_tags": [],
        "_notes": [],
        "_validation_status": {"uid": f"validation_status_{status}", "timestamp": 1709700000} if status else {},
        "_submitted_by": None,
    }
    if before:
        found["meta/deprecatedID"] = f"uuid:{before[-1]}"
    if named:
        found["meta/rootUuid"] = f"uuid:{(*before, version)[0]}"
    if not found["farm/crop_repeat"]:
        del found["farm/crop_repeat"]
    return found | more


def central(
    edits: int = 0,
    review: str | None = None,
    members: int = 5,
    crops: tuple[str, ...] = ("maize", "beans"),
    **more: Any,
) -> Any:
    """The submission of the OData feed after so many edits; `minute` is when it changed last."""
    minute, expanded, deleted = more.pop("minute", edits), more.pop("expanded", True), more.pop("deleted", False)
    updated = f"2024-03-06T07:{minute:02}:00.000Z" if minute else None
    repeats: dict[str, Any] = {
        "crop_repeat": [
            {"__id": f"c{place}", "name": name, "harvest": {"harvest_kg": 100 + place, "use_list": "eat sell"}}
            for place, name in enumerate(crops)
        ]
    }
    animals: dict[str, Any] = {"lstk_repeat": [{"__id": "l0", "name": "goats", "n": 4}]}
    if not expanded:
        repeats = {"crop_repeat@odata.navigationLink": f"Submissions('uuid:{V1}')/farm/crop_repeat"}
        animals = {"lstk_repeat@odata.navigationLink": f"Submissions('uuid:{V1}')/lstk_repeat"}
    return {
        "__id": f"uuid:{V1}",
        "__system": {
            "submissionDate": "2024-03-05T06:03:11.000Z",
            "updatedAt": updated,
            "deletedAt": updated if deleted else None,
            "submitterId": "23",
            "submitterName": "Enumerator 7",
            "attachmentsPresent": 1,
            "attachmentsExpected": 1,
            "status": None,
            "reviewState": review,
            "deviceId": "collect:1kP8xQ",
            "edits": edits,
            "formVersion": "20240301",
        },
        "meta": {"instanceID": f"uuid:{(V1, V2, V3, V4)[edits]}", "instanceName": None},
        "interview": {
            "hhid": "ke_pilot_2024_0001",
            "id_form": "ke_pilot_2024",
            "year": 2024,
            "country": "kenya",
            "place": {
                "gps": {
                    "type": "Point",
                    "coordinates": [36.81667, -1.28333, 1661.0],
                    "properties": {"accuracy": 4.5},
                }
            },
        },
        "members": {"hh_size_members": members, "household_type": "couple"},
        "food": {"foodshortage_months": "jan feb nov"},
        "farm": {"land_owned_ha": 1.20, "photo": "1709618400123.jpg", **repeats},
        **animals,
        **more,
    }


def event(
    version: str, before: str | None = None, members: int = 5, crops: tuple[str, ...] = ("maize", "beans")
) -> Any:
    """The event of a new version, with its XML."""
    grown = "".join(
        f"<crop_repeat><name>{name}</name><harvest><harvest_kg>{100 + place}</harvest_kg><use_list>eat sell</use_list>"
        "</harvest></crop_repeat>"
        for place, name in enumerate(crops)
    )
    deprecated = f"<orx:deprecatedID>uuid:{before}</orx:deprecatedID>" if before else ""
    xml = (
        "<?xml version='1.0' encoding='UTF-8' ?><data xmlns:orx='http://openrosa.org/xforms' id='household'"
        " version='20240301'>"
        "<interview><hhid>ke_pilot_2024_0001</hhid><id_form>ke_pilot_2024</id_form><year>2024</year>"
        "<country>kenya</country><place><gps>-1.28333 36.81667 1661.0 4.5</gps></place></interview>"
        f"<members><hh_size_members>{members}</hh_size_members><household_type>couple</household_type></members>"
        "<food><foodshortage_months>jan feb nov</foodshortage_months></food>"
        f"<farm><land_owned_ha>1.20</land_owned_ha><photo>1709618400123.jpg</photo>{grown}</farm>"
        "<lstk_repeat><name>goats</name><n>4</n></lstk_repeat>"
        f"<orx:meta><orx:instanceID>uuid:{version}</orx:instanceID>{deprecated}</orx:meta></data>"
    )
    kind = "submission.update" if before else "submission.create"
    return {"type": kind, "id": f"uuid:{version}", "data": {"xml": xml}}


def review(state: str, version: str = V1) -> Any:
    return {"type": "submission.update", "id": f"uuid:{version}", "data": {"reviewState": state}}


NOW = datetime(2024, 3, 7, tzinfo=UTC)
