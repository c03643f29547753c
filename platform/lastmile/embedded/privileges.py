"""As whom the embedded Postgres runs: as ourselves, or, since Postgres refuses root, as a user who may do nothing else.

That user must still reach the server's programs and the data folder, and a parent of either may be closed to it: an
installation under `/root`, a home made by `mktemp -d`. Opening those folders would expose what else lies in them. The
server gets the one capability that lets it walk through closed folders instead; no permissions change.
"""

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lastmile.errors import UserError

NOBODY = 65534
#: Reading anything is enough; Docker's default set lacks it and has only the wider one.
CAPABILITIES = ("dac_read_search", "dac_override")


@dataclass(frozen=True)
class Identity:
    """Whom a command runs as: `uid` and `gid` are None for ourselves; a `capability` is granted by setpriv."""

    uid: int | None = None
    gid: int | None = None
    capability: str | None = None

    def run(self, command: Sequence[str | Path], text: str = "") -> subprocess.CompletedProcess[str]:
        """Run to the end with `text` as input; the working folder is `/`, which every user can enter."""
        words = [*self._prefix(), *map(str, command)]
        run = partial(subprocess.run, words, input=text, capture_output=True, text=True, cwd="/")
        if self.uid is None or self.capability is not None:
            return run()
        return run(user=self.uid, group=self.gid, extra_groups=[])

    def _prefix(self) -> list[str]:
        if self.capability is None:
            return []
        # Postgres checks by access(2) whether its own programs can be run, and access(2) ignores the capabilities of a
        # user who is not root unless no_setuid_fixup is set.
        return [
            "setpriv",
            f"--reuid={self.uid}",
            f"--regid={self.gid}",
            "--clear-groups",
            "--securebits=+no_setuid_fixup",
            f"--inh-caps=+{self.capability}",
            f"--ambient-caps=+{self.capability}",
        ]


def identity_for(folder: Path, program: Path) -> Identity:
    """The least that can run `program` on `folder`, which is handed to that user. Raises UserError when nothing can."""
    if os.geteuid() != 0:
        return Identity()
    owner = folder.stat()
    uid, gid = (owner.st_uid, owner.st_gid) if owner.st_uid else (NOBODY, NOBODY)
    try:
        os.chown(folder, uid, gid)
    except OSError as error:
        raise UserError(_unreachable(f"cannot give {folder} to user {uid} ({error.strerror})")) from None
    capabilities = CAPABILITIES if shutil.which("setpriv") else ()
    for capability in (None, *capabilities):
        identity = Identity(uid, gid, capability)
        if _reaches(identity, folder, program):
            return identity
    raise UserError(_unreachable(f"user {uid} cannot reach {folder} or {program}"))


def _reaches(identity: Identity, folder: Path, program: Path) -> bool:
    """By trying: the rights of all parents, access lists and mounts decide together."""
    return identity.run(["/bin/sh", "-c", 'cd "$0" && "$1" --version', folder, program]).returncode == 0


def _unreachable(found: str) -> str:
    return (
        f"Postgres cannot run as root, and {found}. Run as an ordinary user, set LASTMILE_HOME to a folder every"
        " user can enter, or set LASTMILE_DATABASE_URL to a Postgres of your own."
    )
