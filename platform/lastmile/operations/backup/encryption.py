"""Backups are compressed and encrypted before they leave this machine: gzip, then age, as their names say.

The plain `age` tool and `gunzip` read them without Lastmile. Who makes backups needs public keys only, so a machine
that is broken into gives none of its earlier backups away.
"""

import gzip
import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lastmile.errors import UserError
from lastmile.settings.backup import UNENCRYPTED, BackupSettings

COMPRESSED, ENCRYPTED = ".gz", ".age"
#: Higher levels cost three times the time for a tenth less.
_LEVEL = 1
_ARMOUR = b"age-encryption.org/"


@dataclass(frozen=True)
class Seal:
    """What closes and opens backups. Without recipients they are compressed only; without identities none that are
    encrypted can be opened."""

    recipients: Sequence[Any] = field(default=())
    identities: Sequence[Any] = field(default=())

    @property
    def suffix(self) -> str:
        return COMPRESSED + ENCRYPTED if self.recipients else COMPRESSED

    def close(self, data: bytes) -> bytes:
        packed = compressed(data)
        if not self.recipients:
            return packed
        import pyrage

        return bytes(pyrage.encrypt(packed, self.recipients))

    def open(self, name: str, data: bytes) -> bytes:
        """Raises UserError where there is no key, it is another's, or the bytes are not what was closed."""
        if name.endswith(ENCRYPTED):
            data = self._decrypted(name, data)
        try:
            return gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise UserError(f"{name} is damaged: {error}; restore from another backup") from None

    def _decrypted(self, name: str, data: bytes) -> bytes:
        if not self.identities:
            raise UserError(f"{name} is encrypted: set LASTMILE_BACKUP_IDENTITY to the file of the age key")
        import pyrage

        try:
            return bytes(pyrage.decrypt(data, self.identities))
        except pyrage.DecryptError as error:
            raise UserError(
                f"{name} cannot be decrypted: {error}; is LASTMILE_BACKUP_IDENTITY the key it was encrypted to?"
            ) from None


def compressed(data: bytes) -> bytes:
    """The same bytes for the same data."""
    return gzip.compress(data, _LEVEL, mtime=0)


def seal(settings: BackupSettings, is_remote: bool) -> Seal:
    """What backups are closed with. Raises UserError for keys that are none, and where backups in a remote store would
    not be encrypted and nothing says that they may."""
    given = [one for one in settings.recipients if one != UNENCRYPTED]
    if not given and is_remote and UNENCRYPTED not in settings.recipients:
        raise UserError(
            "backups would leave this machine unencrypted: make a key with `lastmile backup key FILE` and set"
            f" LASTMILE_BACKUP_RECIPIENTS to its public part, or to `{UNENCRYPTED}`"
        )
    return Seal([_recipient(one) for one in given], identities(settings) if settings.identity else ())


def identities(settings: BackupSettings) -> list[Any]:
    """The keys that decrypt. Raises UserError where the file has none, or its passphrase is wrong."""
    import pyrage

    file = settings.identity
    if file is None:
        return []
    try:
        data = file.read_bytes()
        if data.startswith(_ARMOUR):
            data = pyrage.passphrase.decrypt(data, settings.passphrase or "")
        lines = [line.strip() for line in data.decode().splitlines()]
        return [pyrage.x25519.Identity.from_str(line) for line in lines if line.startswith("AGE-SECRET-KEY-")]
    except OSError as error:
        raise UserError(f"LASTMILE_BACKUP_IDENTITY names {file}, which cannot be read: {error.strerror}") from None
    except (pyrage.DecryptError, pyrage.IdentityError, UnicodeDecodeError) as error:
        hint = "is LASTMILE_BACKUP_PASSPHRASE right?" if data.startswith(_ARMOUR) else "expected AGE-SECRET-KEY-..."
        raise UserError(f"{file} is no age key that can be used: {error}; {hint}") from None


def make_identity(file: Path, passphrase: str | None) -> str:
    """Write a new key, readable by its owner only, under a passphrase if one is given; its public part.

    Raises UserError where the file is there already.
    """
    import pyrage

    made = pyrage.x25519.Identity.generate()
    public = str(made.to_public())
    text = f"# public key: {public}\n{made}\n".encode()
    body = pyrage.passphrase.encrypt(text, passphrase) if passphrase else text
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
            opened.write(body)
    except FileExistsError:
        raise UserError(f"{file} is there already: a lost key makes backups unreadable; name a new file") from None
    except OSError as error:
        raise UserError(f"cannot write {file}: {error.strerror}") from None
    return public


def _recipient(text: str) -> Any:
    import pyrage

    try:
        return pyrage.x25519.Recipient.from_str(text)
    except pyrage.RecipientError:
        raise UserError(
            f"LASTMILE_BACKUP_RECIPIENTS has {text!r}, which is no public age key: expected age1..., as"
            " `lastmile backup key FILE` prints it"
        ) from None
