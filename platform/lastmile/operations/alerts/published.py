"""Rules and routes as declared: published where the code is loaded, for processes that do not import it."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from psycopg import Connection
from psycopg.types.json import Jsonb

from lastmile.contracts.alerts import Route
from lastmile.operations.alerts.rule import Rule

_INSERT = "INSERT INTO operations.alert_declarations (kind, place, body) VALUES (%s, %s, %s)"


def publish(connection: Connection, rules: Iterable[Rule], routes: Iterable[Route]) -> None:
    """Make these the declared ones, all or nothing."""
    wanted = [
        *(("rule", place, asdict(rule)) for place, rule in enumerate(rules)),
        *(("route", place, _body(route)) for place, route in enumerate(routes)),
    ]
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('operations.alert_declarations'))")
        cursor.execute("DELETE FROM operations.alert_declarations")
        cursor.executemany(_INSERT, [(kind, place, Jsonb(body)) for kind, place, body in wanted])


def read(connection: Connection) -> tuple[list[Rule], list[Route]]:
    """Rules, and routes in declared order."""
    found: dict[str, list[dict[str, Any]]] = {"rule": [], "route": []}
    for kind, body in connection.execute("SELECT kind, body FROM operations.alert_declarations ORDER BY kind, place"):
        found[kind].append(body)
    return [Rule(**body) for body in found["rule"]], [_route(body) for body in found["route"]]


def _body(route: Route) -> dict[str, Any]:
    after = route.escalate_after
    return asdict(route) | {"escalate_after": after.total_seconds() if after else None}


def _route(body: dict[str, Any]) -> Route:
    after = body["escalate_after"]
    given = {"escalate_after": timedelta(seconds=after) if after else None, "channels": tuple(body["channels"])}
    return Route(**{**body, **given, "escalate_to": tuple(body["escalate_to"])})
