"""Where alerts go, by owner: the first route that fits counts. Addresses of the channels come from the environment."""

from datetime import timedelta

from lastmile.contracts import Route

routes = (
    Route(owner="team:field-data", channels=("field-data",)),
    Route(owner="team:shop", channels=("shop",)),
    Route(owner="team:analytics", channels=("analytics",)),
    Route(
        owner="platform",
        severity="critical",
        channels=("on-call",),
        escalate_after=timedelta(minutes=30),
        escalate_to=("leads",),
    ),
    Route(channels=("on-call",)),
)
