"""Who makes a request, and what they may do."""

from dataclasses import dataclass

from lastmile.access.roles import Permission, Role


@dataclass(frozen=True)
class Principal:
    """A user or a key. `name` is what the audit log has: `user:ada`, `key:Kk3f9a2b (tablet 7)`."""

    name: str
    role: Role
    allowed: frozenset[Permission]
    #: Datasets it may upload to; None: all.
    datasets: frozenset[str] | None = None
    #: Of a user's session, by which it is revoked.
    session: str | None = None

    def may(self, permission: Permission) -> bool:
        return permission in self.allowed

    def may_upload_to(self, dataset: str) -> bool:
        return self.may("upload") and (self.datasets is None or dataset in self.datasets)
