"""Signing in and out: the first admin, a name and a password, a refresh token."""

from typing import TYPE_CHECKING

from fastapi import APIRouter, Depends, HTTPException, Request
from limits import parse
from pydantic import BaseModel, Field

from lastmile.access import sessions, setup, users
from lastmile.serving.door.permission import open_to_all
from lastmile.serving.parameters import Text
from lastmile.serving.state import Here

if TYPE_CHECKING:
    from lastmile.access.principal import Principal

router = APIRouter(prefix="/api/v1", tags=["access"])


class FirstAdmin(BaseModel):
    secret: Text = Field(description="printed at the first start")
    name: Text
    password: Text


class Credentials(BaseModel):
    name: Text
    password: Text


class Refresh(BaseModel):
    refresh_token: Text


class Tokens(BaseModel):
    access_token: str = Field(description="for `Authorization: Bearer`")
    refresh_token: str = Field(description="for /auth/refresh, valid once")
    expires_in: int = Field(description="seconds that the access token is valid")
    token_type: str = Field(default="bearer", description="how the access token is sent")


class Me(BaseModel):
    name: str
    role: str
    permissions: list[str]
    datasets: list[str] | None = Field(description="that it may upload to; null: all")


async def slowly(request: Request, here: Here) -> None:
    """Bounds the attempts of one address: passwords are not to be tried out."""
    host = request.client.host if request.client else "unknown"
    limiter = request.app.state.door_limiter
    try:
        allowed = await limiter.hit(parse(here.api.limits.sign_ins), "sign in", host)
    except Exception as error:
        raise HTTPException(503, "sign-ins cannot be counted at the moment; try again") from error
    if not allowed:
        raise HTTPException(
            429, f"more than {here.api.limits.sign_ins} sign-ins from this address; wait", headers={"Retry-After": "30"}
        )


@router.post("/auth/setup", summary="Make the first admin.", status_code=201, dependencies=[Depends(slowly)])
@open_to_all
def first(given: FirstAdmin, here: Here) -> Tokens:
    """With the secret printed at the first start; it works once."""
    with here.writing() as connection:
        user = setup.first_admin(connection, here.secret, given.secret, given.name, given.password)
        return _tokens(sessions.begin(connection, here.secret, user))


@router.post("/auth/token", summary="Sign in.", dependencies=[Depends(slowly)])
@open_to_all
def sign_in(given: Credentials, here: Here) -> Tokens:
    with here.writing() as connection:
        user = users.signed_in(connection, given.name, given.password)
        if user is None:
            raise HTTPException(401, "no user has this name and password", headers={"WWW-Authenticate": "Bearer"})
        return _tokens(sessions.begin(connection, here.secret, user))


@router.post("/auth/refresh", summary="Go on with a session.", dependencies=[Depends(slowly)])
@open_to_all
def refresh(given: Refresh, here: Here) -> Tokens:
    """A refresh token is valid once: sent again, it ends the session, since it was copied."""
    with here.writing() as connection:
        found = sessions.renew(connection, here.secret, given.refresh_token)
    if found is None:
        raise HTTPException(401, "this session has ended: sign in again", headers={"WWW-Authenticate": "Bearer"})
    return _tokens(found)


@router.post("/auth/sign-out", summary="End this session.", status_code=204)
@open_to_all
def sign_out(request: Request, here: Here) -> None:
    """Its tokens are void at once. A no-op without a session; keys are revoked by an admin."""
    principal: Principal | None = request.scope.get("principal")
    if principal and principal.session:
        with here.writing() as connection:
            sessions.end(connection, principal.session)


@router.get("/auth/me", summary="Who am I, and what may I do?")
@open_to_all
def me(request: Request) -> Me:
    principal: Principal | None = request.scope.get("principal")
    if principal is None:
        raise HTTPException(401, "this request has no credential", headers={"WWW-Authenticate": "Bearer"})
    datasets = None if principal.datasets is None else sorted(principal.datasets)
    return Me(name=principal.name, role=principal.role, permissions=sorted(principal.allowed), datasets=datasets)


def _tokens(made: sessions.Tokens) -> Tokens:
    return Tokens(**vars(made))
