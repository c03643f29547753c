"""Passwords as Argon2id hashes, with the library's parameters (RFC 9106, low memory): 64 MiB and about 50 ms each."""

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from lastmile.errors import UserError

#: NIST SP 800-63B-4: length is what counts, and no rules on characters.
SHORTEST, LONGEST = 12, 256

_hasher = PasswordHasher()


def hashed(password: str) -> str:
    """Raises UserError where it is too short or too long."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise UserError(f"a password has {SHORTEST} to {LONGEST} characters; this one has {len(password)}")
    return _hasher.hash(password)


def matches(password: str, stored: str | None) -> bool:
    """Takes as long where there is no such user, so that time tells nothing of names."""
    try:
        return _hasher.verify(stored or _nobodys(), password[:LONGEST]) and stored is not None
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobodys() -> str:
    return _hasher.hash("the password of no user")
