"""What an endpoint demands of who calls it: `principal: Annotated[Principal, may("read")]`.

An endpoint says one or the other: a permission, or that it is `open_to_all`; a test holds every endpoint to it.
"""

from collections.abc import Callable
from typing import Any, cast

from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPBearer
from starlette.requests import HTTPConnection

from lastmile.access.principal import Principal
from lastmile.access.roles import Permission

_LOOPBACK = ("127.0.0.1", "::1")
#: Only describes the form of the header, for the documentation; the door has read it before.
_bearer = Depends(HTTPBearer(auto_error=False, description="An API key (`lm_...`), or a sign-in's access token."))


def may(permission: Permission) -> Any:
    """A dependency: the principal, who has the permission. Answers 401 without a sign-in, 403 without that."""

    async def demanded(request: Request, _: Any = _bearer) -> Principal:  # else a thread would be needed to look
        return demand(request.scope.get("principal"), permission)

    demanded.permission = permission  # type: ignore[attr-defined]  # read by `demanded_by`
    return Depends(demanded)


def demand(principal: Principal | None, permission: Permission) -> Principal:
    """The same outside of FastAPI's dependencies."""
    if principal is None:
        raise HTTPException(
            401,
            "this needs a sign-in: send `Authorization: Bearer ` with an API key (`lastmile keys create`) or an access"
            " token (POST /api/v1/auth/token)",
            headers={"WWW-Authenticate": "Bearer"},
        )
    if not principal.may(permission):
        raise HTTPException(
            403, f"the role {principal.role} may not {permission}; an admin can give another role or key"
        )
    return principal


def demand_dataset(principal: Principal, dataset: str) -> None:
    """That the principal may upload to it."""
    if not principal.may_upload_to(dataset):
        named = ", ".join(sorted(principal.datasets or ())) or "none"
        raise HTTPException(403, f"this key uploads to {named}, not to {dataset}; an admin can make another one")


def is_local(connection: HTTPConnection) -> bool:
    """Whether it comes from this machine's own addresses, which are let in to look while there is no user."""
    return connection.client is not None and connection.client.host in _LOOPBACK


def open_to_all(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    """Marks an endpoint that anybody may call."""
    endpoint.open_to_all = True  # type: ignore[attr-defined]  # read by `demanded_by`
    return endpoint


def demanded_by(route: Any) -> str | None:
    """The permission that a route demands, `|` between those of which any will do; None where it is open to all.
    Raises LookupError where it says neither."""
    if getattr(route.endpoint, "open_to_all", False):
        return None
    calls = [route.endpoint, *_calls(route.dependant)]
    found = [call.permission for call in calls if hasattr(call, "permission")]
    if not found:
        raise LookupError(f"{route.path} says neither which permission it demands nor that it is open to all")
    return cast("str", found[0])


def _calls(dependant: Any) -> list[Any]:
    return [found for part in dependant.dependencies for found in (part.call, *_calls(part))]
