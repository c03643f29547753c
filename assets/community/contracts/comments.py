"""Comments on posts as the API has them. Who comments need be no user: a name and an address are all that is known."""

from datetime import date

import pandera.polars as pa

from lastmile.contracts import Contract, Partition, Policy, field


class Comments(pa.DataFrameModel):
    id: int = field("Number of the comment.", ge=1)
    post_id: int = field("The post that it is on.", ge=1, aliases=("postId",))
    name: str = field("Its heading.")
    email: str = field("Who wrote it, as it was sent.", str_matches=r"^[^@\s]+@[^@\s]+$", personal=True)
    body: str = field("Text.")


contract = Contract(
    name="comments",
    schema=Comments,
    description="Comments on posts; one row per comment and day on which they were fetched.",
    owner="team:community",
    partition=Partition("day", start=date(2024, 1, 1)),
    key=("id",),
    policy=Policy(max_bad_share=0.5),
    tags={"domain": "community", "source": "jsonplaceholder", "sensitivity": "personal"},
)
