"""Users, API keys and the audit log, for admins."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from lastmile.access import audit, keys, users
from lastmile.access.principal import Principal
from lastmile.access.roles import Permission, Role
from lastmile.serving.door.permission import may
from lastmile.serving.parameters import Id, Moment, Name, Text
from lastmile.serving.state import Here

router = APIRouter(prefix="/api/v1", tags=["access"])

Admin = Annotated[Principal, may("administer")]


class NewUser(BaseModel):
    name: Text
    role: Role
    password: Text


class ChangedUser(BaseModel):
    """What is left out stays."""

    role: Role | None = None
    password: Text | None = None
    disabled: bool | None = None


class User(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    name: str
    role: Role
    issuer: str | None = Field(description="of an organisation's own sign-in")
    created_at: datetime
    created_by: str
    disabled_at: datetime | None


class NewKey(BaseModel):
    name: Text = Field(description="what has it, such as `tablet 7`")
    role: Role
    scopes: list[Permission] | None = Field(default=None, description="fewer permissions than its role has")
    datasets: list[Text] | None = Field(default=None, description="that it may upload to; a device must have some")
    days: Annotated[int, Field(ge=1, le=3_650)] | None = Field(default=None, description="until it ends")


class Key(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    prefix: str
    name: str
    role: Role
    scopes: list[Permission] | None
    datasets: list[str] | None
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


class MadeKey(Key):
    key: str = Field(description="shown here and never again")


class AuditEntry(BaseModel):
    id: int
    at: datetime
    actor: str
    action: str
    subject: str
    rows: int | None
    request: str | None


@router.get("/users", summary="All users.")
def list_users(_: Admin, here: Here) -> list[User]:
    with here.reading() as connection:
        return [User.model_validate(one) for one in users.users(connection)]


@router.post("/users", summary="Add a user.", status_code=201)
def add_user(given: NewUser, admin: Admin, here: Here) -> User:
    with here.writing() as connection:
        return User.model_validate(users.add(connection, given.name, given.role, given.password, admin.name))


@router.patch("/users/{name}", summary="Change a user's role or password, disable or enable one.")
def change_user(name: Name, given: ChangedUser, admin: Admin, here: Here) -> User:
    with here.writing() as connection, connection.transaction():
        user = users.named(connection, name)
        if given.role is not None:
            user = users.change_role(connection, name, given.role, admin.name)
        if given.password is not None:
            user = users.change_password(connection, name, given.password, admin.name)
        if given.disabled is not None:
            change = users.disable if given.disabled else users.enable
            user = change(connection, name, admin.name)
        return User.model_validate(user)


@router.get("/keys", summary="All API keys there are and were.")
def list_keys(_: Admin, here: Here) -> list[Key]:
    with here.reading() as connection:
        return [Key.model_validate(one) for one in keys.keys(connection)]


@router.post("/keys", summary="Make an API key.", status_code=201)
def make_key(given: NewKey, admin: Admin, here: Here) -> MadeKey:
    expires_at = datetime.now(UTC) + timedelta(days=given.days) if given.days else None
    with here.writing() as connection:
        key, made = keys.create(
            connection,
            here.secret,
            given.name,
            given.role,
            admin.name,
            scopes=given.scopes,
            datasets=given.datasets,
            expires_at=expires_at,
        )
    return MadeKey(**Key.model_validate(made).model_dump(), key=key)


@router.delete("/keys/{prefix}", summary="Revoke an API key.", status_code=204)
def revoke_key(prefix: Name, admin: Admin, here: Here) -> None:
    """It is void at once."""
    with here.writing() as connection:
        keys.revoke(connection, prefix, admin.name)


@router.get("/audit", summary="Who wrote what, the newest first.")
def log(
    _: Admin,
    here: Here,
    actor: Text | None = None,
    since: Moment | None = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    before: Annotated[Id | None, Query(description="id of the last entry of the page before")] = None,
) -> list[AuditEntry]:
    with here.reading() as connection:
        found: list[dict[str, Any]] = audit.entries(connection, limit, before, actor, since)
    return [AuditEntry(**one) for one in found]
