"""A logical export by pg_dump, of any Postgres: what a managed one needs, or a change to another major version."""

import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress

from lastmile.errors import UserError
from lastmile.operations.backup.parts import read, write
from lastmile.operations.backup.repository import Progress, Repository
from lastmile.warehouse.connections import connect, libpq_environment
from lastmile.warehouse.programs import program

_BLOCK = 2**20
#: Owners and grants are of the server that it came from.
_PLAIN = ("--no-owner", "--no-privileges")


def export(repository: Repository, url: str, name: str, progress: Progress) -> tuple[tuple[str, ...], int]:
    """The whole database as of one moment, in pg_dump's own format; the keys of its parts, and its bytes."""
    command = [str(program("pg_dump")), "--format=custom", "--compress=none", *_PLAIN]
    count = 0
    with tempfile.TemporaryFile() as said:
        with subprocess.Popen(command, env=libpq_environment(url), stdout=subprocess.PIPE, stderr=said) as process:

            def blocks() -> Iterator[bytes]:
                nonlocal count
                while process.stdout and (block := process.stdout.read(_BLOCK)):
                    count += len(block)
                    progress("database", count, None)
                    yield block

            try:
                keys = write(repository, f"{name}/part", blocks())
            except BaseException:
                process.kill()
                raise
        if process.returncode:
            said.seek(0)
            raise UserError(f"pg_dump failed: {said.read().decode(errors='replace').strip().splitlines()[-1]}")
    return tuple(keys), count


def load(repository: Repository, parts: Sequence[str], url: str, total: int, progress: Progress) -> None:
    """Put an export into a database that has nothing in it, all of it or nothing. Raises UserError otherwise."""
    with connect(url) as connection:
        ((tables,),) = connection.execute(
            "SELECT count(*) FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind IN ('r', 'p')"
            " AND nspname !~ '^pg_' AND nspname <> 'information_schema'"
        ).fetchall()
    if tables:
        raise UserError(f"the database has {tables} tables already: name an empty one in LASTMILE_DATABASE_URL")
    command = [str(program("pg_restore")), "--single-transaction", "--exit-on-error", *_PLAIN]
    environment = libpq_environment(url)
    with tempfile.TemporaryFile() as said:
        with subprocess.Popen(
            [*command, "--dbname", environment["PGDATABASE"]], env=environment, stdin=subprocess.PIPE, stderr=said
        ) as process:
            try:
                _feed(process, read(repository, parts), total, progress)
            except BaseException:
                process.kill()
                raise
        if process.returncode:
            said.seek(0)
            raise UserError(f"pg_restore failed: {said.read().decode(errors='replace').strip().splitlines()[0]}")


def _feed(process: "subprocess.Popen[bytes]", parts: Iterator[bytes], total: int, progress: Progress) -> None:
    """Write to the program until it has all, or ends."""
    done = 0
    with suppress(BrokenPipeError):
        for part in parts:
            if process.stdin:
                process.stdin.write(part)
            done += len(part)
            progress("database", done, total)
