"""Backups every night and a restore drill every week, each a run with its log; the history is in `operations`.

They are commands in processes of their own: what they do with the database's files is none of Dagster's business, and
a run that dies ends them.
"""

import subprocess
import sys
from collections.abc import Sequence

import dagster as dg

from lastmile.settings.backup import BackupSettings
from lastmile.settings.group import load


@dg.op(description="Backs up the database and the objects.", retry_policy=dg.RetryPolicy(max_retries=2, delay=300))
def make_backup(context: dg.OpExecutionContext) -> None:
    _run(context, ["backup"])


@dg.op(description="Restores the newest backup into a scratch home, and compares ledger, tables, objects and models.")
def restore_drill(context: dg.OpExecutionContext) -> None:
    _run(context, ["backup", "drill"])


@dg.job(description="Backs up what has changed; a full backup once a week.")
def back_up() -> None:
    make_backup()


@dg.job(description="Tries whether the backups can be restored, and how long that takes.")
def drill() -> None:
    restore_drill()


@dg.schedule(
    job=back_up,
    cron_schedule="7 1 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every night, if there is a place for backups.",
)
def nightly_backup() -> dg.RunRequest | dg.SkipReason:
    if load(BackupSettings).url is None:
        return dg.SkipReason("there is no place for backups: LASTMILE_BACKUP_URL is not set")
    return dg.RunRequest()


@dg.schedule(
    job=drill,
    cron_schedule="37 3 * * 0",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every Sunday, if there are backups and this machine has the key to read them.",
)
def weekly_drill() -> dg.RunRequest | dg.SkipReason:
    backup = load(BackupSettings)
    if backup.url is None or (backup.recipients and backup.identity is None):
        return dg.SkipReason("a drill needs LASTMILE_BACKUP_URL, and LASTMILE_BACKUP_IDENTITY where it is encrypted")
    return dg.RunRequest()


def _run(context: dg.OpExecutionContext, arguments: Sequence[str]) -> None:
    """The command's lines into the run's log. Raises dg.Failure with the last one where it fails."""
    command = [sys.executable, "-m", "lastmile.cli", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    lines = done.stdout.splitlines()
    for line in lines:
        context.log.info(line)
    if done.returncode:
        raise dg.Failure(lines[-1] if lines else f"the command ended with code {done.returncode}")
