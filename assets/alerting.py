"""Where alerts go, by owner: the first route that fits counts. Addresses of the channels come from the environment."""

from datetime import timedelta

from lastmile.contracts import Route

routes = (
    Route(owner="team:analytics", channels=("analytics",)),
    Route(
        owner="platform",
        severity="critical",
        channels=("on-call",),
        escalate_after=timedelta(hours=1),
        escalate_to=("leads",),
    ),
    Route(channels=("on-call",)),
)
