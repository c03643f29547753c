"""Backups are closed for those who have the key, and nothing else leaves the machine."""

import gzip
from pathlib import Path

import pyrage
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastmile.errors import UserError
from lastmile.operations.backup.encryption import Seal, identities, make_identity, seal
from lastmile.settings.backup import BackupSettings

KEY = pyrage.x25519.Identity.generate()
CLOSED = Seal([KEY.to_public()], [KEY])


@given(st.binary(max_size=10_000))
def test_what_is_closed_opens_as_it_was(data: bytes) -> None:
    assert CLOSED.open("part.gz.age", CLOSED.close(data)) == data


def test_what_is_closed_is_read_by_plain_age_and_gunzip() -> None:
    assert gzip.decompress(pyrage.decrypt(CLOSED.close(b"rows"), [KEY])) == b"rows"


def test_nobody_without_the_key_reads_it() -> None:
    closed = CLOSED.close(b"rows of households")
    assert b"households" not in closed
    with pytest.raises(UserError, match="set LASTMILE_BACKUP_IDENTITY"):
        Seal([KEY.to_public()]).open("part.gz.age", closed)
    with pytest.raises(UserError, match="is LASTMILE_BACKUP_IDENTITY the key"):
        Seal([], [pyrage.x25519.Identity.generate()]).open("part.gz.age", closed)


@given(st.integers(0, 200), st.integers(1, 255))
def test_a_changed_byte_is_noticed(place: int, change: int) -> None:
    closed = bytearray(CLOSED.close(b"rows" * 100))
    closed[place % len(closed)] ^= change
    with pytest.raises(UserError, match="part"):
        CLOSED.open("part.gz.age", bytes(closed))


def test_nothing_goes_to_a_remote_store_unencrypted_unless_that_is_said() -> None:
    with pytest.raises(UserError, match="would leave this machine unencrypted"):
        seal(BackupSettings(), is_remote=True)
    assert seal(BackupSettings(recipients=("none",)), is_remote=True).suffix == ".gz"
    assert seal(BackupSettings(), is_remote=False).suffix == ".gz"


def test_a_recipient_that_is_no_key_is_refused() -> None:
    with pytest.raises(UserError, match="no public age key"):
        seal(BackupSettings(recipients=("age1nonsense",)), is_remote=True)


@pytest.mark.parametrize("passphrase", [None, "correct horse"])
def test_a_key_that_was_made_opens_what_is_closed_to_it(tmp_path: Path, passphrase: str | None) -> None:
    public = make_identity(tmp_path / "key", passphrase)
    made = seal(BackupSettings(recipients=(public,), identity=tmp_path / "key", passphrase=passphrase), is_remote=True)
    assert made.open("part.gz.age", made.close(b"rows")) == b"rows"
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert (b"AGE-SECRET-KEY" in (tmp_path / "key").read_bytes()) == (passphrase is None)


def test_a_wrong_passphrase_and_a_key_that_is_there_are_said(tmp_path: Path) -> None:
    make_identity(tmp_path / "key", "right")
    with pytest.raises(UserError, match="is LASTMILE_BACKUP_PASSPHRASE right"):
        identities(BackupSettings(identity=tmp_path / "key", passphrase="wrong"))
    with pytest.raises(UserError, match="is there already"):
        make_identity(tmp_path / "key", None)
