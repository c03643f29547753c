"""All routes of an app, those of its routers among them."""

from typing import Any


def every_route(app: Any) -> list[Any]:
    found, waiting = [], [app]
    while waiting:
        one = waiting.pop()
        for route in getattr(one, "routes", ()) or ():
            found.append(route)
            waiting.append(route)
        if router := getattr(one, "original_router", None) or getattr(one, "router", None):
            waiting.append(router)
    return found
