"""Posts as the API has them; their texts have line breaks in them."""

from datetime import date

import pandera.polars as pa

from lastmile.contracts import Contract, Partition, Policy, field


class Posts(pa.DataFrameModel):
    id: int = field("Number of the post.", ge=1)
    user_id: int = field("Who wrote it.", ge=1, aliases=("userId",))
    title: str = field("Title.")
    body: str = field("Text.")


contract = Contract(
    name="posts",
    schema=Posts,
    description="Posts of the community; one row per post and day on which they were fetched.",
    owner="team:community",
    partition=Partition("day", start=date(2024, 1, 1)),
    key=("id",),
    policy=Policy(max_bad_share=0.5),
    tags={"domain": "community", "source": "jsonplaceholder"},
)
