"""Which database a command works on: the one given, else the embedded server, started for the while if need be."""

from collections.abc import Iterator
from contextlib import contextmanager

from lastmile.embedded import postgres
from lastmile.errors import UserError
from lastmile.settings import Settings


def running_url(settings: Settings) -> str:
    """The database given, else the embedded server that runs. Raises UserError where there is neither."""
    url = settings.given_database_url or postgres.running(settings.postgres_folder)
    if url is None:
        raise UserError(
            f"no database: none runs in {settings.home} and LASTMILE_DATABASE_URL is not set."
            " Run `lastmile up`, or set the variable."
        )
    return url


@contextmanager
def database(settings: Settings) -> Iterator[str]:
    """The address of a database that is up: the one given, else the embedded one, started for the while if need be."""
    if settings.given_database_url:
        yield settings.given_database_url
    else:
        with postgres.started(settings.postgres_folder) as url:
            yield url
