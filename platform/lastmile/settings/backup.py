"""Where backups are kept, for whom they are encrypted, and for how long they are kept."""

from dataclasses import dataclass
from pathlib import Path

from lastmile.settings.group import at_least, variable

#: In place of recipients: backups that anyone who reads the store can read.
UNENCRYPTED = "none"


@dataclass(frozen=True)
class BackupSettings:
    """No `url`, no backups. Who makes backups needs the `recipients` only, who restores needs the `identity`."""

    url: str | None = variable(
        "LASTMILE_BACKUP_URL",
        "Where backups are kept: s3://, gs://, az://, file://.",
        None,
        example="s3://backups/lastmile",
    )
    recipients: tuple[str, ...] = variable(
        "LASTMILE_BACKUP_RECIPIENTS",
        "Public age keys that backups are encrypted to, separated by commas; `none` leaves them unencrypted.",
        (),
        example="age1...",
    )
    identity: Path | None = variable(
        "LASTMILE_BACKUP_IDENTITY", "File of the age key that decrypts backups; only restoring needs it.", None
    )
    passphrase: str | None = variable(
        "LASTMILE_BACKUP_PASSPHRASE", "Passphrase of that file, where it has one.", None, secret=True
    )
    full_days: int = variable(
        "LASTMILE_BACKUP_FULL_DAYS", "After how many days a backup is a full one again.", 7, check=at_least(1)
    )
    keep_days: int = variable(
        "LASTMILE_BACKUP_KEEP_DAYS", "For how many days any moment can be restored.", 7, check=at_least(1)
    )
    keep_weeks: int = variable(
        "LASTMILE_BACKUP_KEEP_WEEKS", "For how many weeks one backup a week is kept.", 5, check=at_least(0)
    )
    keep_months: int = variable(
        "LASTMILE_BACKUP_KEEP_MONTHS", "For how many months one backup a month is kept.", 12, check=at_least(0)
    )
    log_seconds: float = variable(
        "LASTMILE_BACKUP_LOG_SECONDS", "How often the end of the database's log is uploaded.", 10.0, check=at_least(1)
    )
    objects_seconds: float = variable(
        "LASTMILE_BACKUP_OBJECTS_SECONDS", "How often new objects are copied.", 60.0, check=at_least(1)
    )
    spool_megabytes: int = variable(
        "LASTMILE_BACKUP_SPOOL_MEGABYTES",
        "How much of the log is kept on this machine while the store is away.",
        2048,
        check=at_least(64),
    )
