"""What each role may do. A permission is what an endpoint demands; a role is what a person or a program is given."""

from typing import Literal, get_args

Permission = Literal[
    "read",  # data, models, catalogue and quality, personal columns masked
    "query",  # SQL
    "predict",
    "upload",  # records and files, and follow what was uploaded
    "write",  # documents
    "run",  # materialize, backfill, train, cancel
    "release",  # release and discard what is quarantined
    "deploy",  # promote, roll back, experiment
    "personal",  # see personal columns
    "administer",  # users, keys, audit
]
Role = Literal["viewer", "analyst", "engineer", "admin", "device"]

PERMISSIONS: tuple[Permission, ...] = get_args(Permission)
ROLES: tuple[Role, ...] = get_args(Role)
#: A device is no person.
USER_ROLES: tuple[Role, ...] = ("viewer", "analyst", "engineer", "admin")

ALLOWED: dict[Role, frozenset[Permission]] = {
    "device": frozenset({"upload"}),
    "viewer": frozenset({"read"}),
    "analyst": frozenset({"read", "query", "predict"}),
    "engineer": frozenset(PERMISSIONS) - {"administer"},
    "admin": frozenset(PERMISSIONS),
}
