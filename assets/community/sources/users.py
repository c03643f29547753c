"""Users of JSONPlaceholder, all of them each time: the API has no cursor."""

from lastmile.sources import Rest, Schedule, Setting

source = Rest(
    name="users",
    dataset="users",
    description="Users of the community, as the API has them today.",
    owner="team:community",
    schedule=Schedule("15 3 * * *"),
    starts_running=False,
    url=Setting("LASTMILE_SOURCE_COMMUNITY_URL", "https://jsonplaceholder.typicode.com"),
    path="/users",
)
