"""Users as the API has them: address and company come nested, and are kept whole as well as by their parts.

Coordinates come as texts. They are kept as they were sent; a place that is none (no number, or none on Earth) has no
latitude or longitude, never one of zero, which is a place in the Gulf of Guinea.
"""

from datetime import date

import pandera.polars as pa
import polars as pl

from lastmile.contracts import Contract, Json, Partition, Policy, field


def part(column: str, path: str) -> pl.Expr:
    """A text within a column of JSON."""
    return pl.col(column).str.json_path_match(f"$.{path}")


def degrees(path: str, most: float) -> pl.Expr:
    sent = part("address", f"geo.{path}").cast(pl.Float64, strict=False)
    return pl.when(sent.is_between(-most, most)).then(sent)


class Users(pa.DataFrameModel):
    id: int = field("Number of the user.", ge=1)
    name: str = field("Name as it is written.", personal=True)
    username: str = field("Name that the user chose.", personal=True)
    email: str = field("Address as it was sent, in any case.", str_matches=r"^[^@\s]+@[^@\s]+$", personal=True)
    phone: str | None = field("As it was sent, with extensions and points.", personal=True)
    website: str | None = field("Host of the user's own page.", personal=True)
    address: Json | None = field("Address as it was sent.", personal=True)
    street: str | None = field("Street.", derived=part("address", "street"), personal=True)
    suite: str | None = field("Part of the house.", derived=part("address", "suite"), personal=True)
    city: str | None = field("City.", derived=part("address", "city"), personal=True)
    zipcode: str | None = field("Post code.", derived=part("address", "zipcode"), personal=True)
    lat: str | None = field("Latitude as it was sent.", derived=part("address", "geo.lat"), personal=True)
    lng: str | None = field("Longitude as it was sent.", derived=part("address", "geo.lng"), personal=True)
    latitude: float | None = field("Latitude.", unit="degrees", derived=degrees("lat", 90), personal=True)
    longitude: float | None = field("Longitude.", unit="degrees", derived=degrees("lng", 180), personal=True)
    company: Json | None = field("Employer as it was sent.")
    company_name: str | None = field("Employer.", derived=part("company", "name"))
    company_catch_phrase: str | None = field("What it says of itself.", derived=part("company", "catchPhrase"))
    company_business: str | None = field("What it does.", derived=part("company", "bs"))


contract = Contract(
    name="users",
    schema=Users,
    description="Users of the community; one row per user and day on which they were fetched.",
    owner="team:community",
    partition=Partition("day", start=date(2024, 1, 1)),
    key=("id",),
    policy=Policy(max_bad_share=0.5),
    tags={"domain": "community", "source": "jsonplaceholder", "sensitivity": "personal"},
)
