"""The installation's own secret, from which the keys for signing tokens and hashing API keys are derived.

Every process of one installation has the same: `LASTMILE_SECRET`, or the file `secret` in its home, made when it is
first needed. Who has it can make tokens of any user.
"""

import hashlib
import hmac
import os
import secrets
from contextlib import suppress

from lastmile.errors import UserError
from lastmile.settings import Settings
from lastmile.settings.access import AccessSettings
from lastmile.settings.group import load

_FILE = "secret"


def secret(settings: Settings) -> bytes:
    """Raises UserError where the one given is too short, or the file cannot be read or made."""
    if given := load(AccessSettings).secret:
        return given.encode()
    file = settings.home / _FILE
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            partial = settings.home / f".{_FILE}.{os.getpid()}"
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as opened:
                opened.write(secrets.token_hex(32))
            with suppress(FileExistsError):  # another process was faster
                os.link(partial, file)
            partial.unlink()
        return file.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read or make {file}: {error.strerror}; or set LASTMILE_SECRET") from None


def derived(own: bytes, purpose: str) -> bytes:
    """A key of 32 bytes for one purpose: none of them says anything about another."""
    return hmac.digest(own, f"lastmile {purpose}".encode(), hashlib.sha256)
