"""How long processes may take to end. Whatever starts them must wait a little longer before it kills them."""

from dataclasses import dataclass

from lastmile.settings.group import at_least, variable


@dataclass(frozen=True)
class Shutdown:
    """How processes end."""

    grace_seconds: float = variable(
        "LASTMILE_GRACE_SECONDS",
        "How long a process may take after SIGTERM to finish what it is at: requests, the drop of a run.",
        20.0,
        example="20",
        check=at_least(1),
    )
    drain_seconds: float = variable(
        "LASTMILE_DRAIN_SECONDS",
        "How long the API, no longer ready, accepts connections after SIGTERM: as a load balancer needs to notice.",
        0.0,
        example="10",
        check=at_least(0),
    )
