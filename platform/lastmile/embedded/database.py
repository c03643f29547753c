"""Which database a command works on: the one given, else the embedded server, started meanwhile if need be."""

from collections.abc import Iterator
from contextlib import contextmanager

from lastmile.embedded import postgres
from lastmile.errors import UserError
from lastmile.settings import Settings


def given_url(settings: Settings) -> str | None:
    """The database given; None for this home's own server, also where `lastmile env` has put it into the environment.

    That server has to be started and kept up, which any other database has not; it is recognised by its password.
    """
    password, url = settings.postgres_folder / "password", settings.given_database_url
    is_own = url is not None and password.exists() and password.read_text() in url
    return None if is_own else url


def find_url(settings: Settings) -> str | None:
    """The database given, else the embedded server that runs; None where there is neither."""
    return given_url(settings) or postgres.running(settings.postgres_folder)


def running_url(settings: Settings) -> str:
    """The database given, else the embedded server that runs. Raises UserError where there is neither."""
    url = find_url(settings)
    if url is None:
        raise UserError(
            f"no database: none runs in {settings.home} and LASTMILE_DATABASE_URL is not set."
            " Run `lastmile up`, or set the variable."
        )
    return url


@contextmanager
def database(settings: Settings) -> Iterator[str]:
    """The address of a database that is up: the one given, else the embedded one, started meanwhile if need be."""
    if url := given_url(settings):
        yield url
    else:
        with postgres.started(settings.postgres_folder) as url:
            yield url
