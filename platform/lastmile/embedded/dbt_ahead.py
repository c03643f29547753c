"""Parsing the dbt project of a new home while the database and everything else come up: `python -m` this module.

The parse takes longer than anything else of a first start. The code server finds it made, or waits for its end; what
is wrong with the project, that says.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

from lastmile.embedded import postgres
from lastmile.embedded.database import given_url
from lastmile.embedded.services import environment
from lastmile.settings import Settings


@contextmanager
def parsed_ahead(settings: Settings) -> Iterator[None]:
    """Begin to parse in a process of its own, in a home where nothing was parsed yet; it is gone at the end."""
    if any((settings.home / "dbt").glob("*/ready")):
        yield
        return
    url = given_url(settings) or postgres.expected(settings.postgres_folder)
    logs = settings.home / "logs"
    logs.mkdir(exist_ok=True)
    with (logs / "dbt-ahead.log").open("wb") as log:
        parsing = subprocess.Popen([sys.executable, "-m", __name__], env=environment(settings, url), stderr=log)
    Thread(target=parsing.wait, name="dbt ahead", daemon=True).start()
    try:
        yield
    finally:
        parsing.terminate()


def _main() -> None:
    from lastmile.catalogue.brought import declared_tables
    from lastmile.contracts import load_contracts
    from lastmile.warehouse.dbt.project import prepared

    settings = Settings.from_environment()
    contracts = load_contracts(settings.assets)
    prepared(settings, contracts, brought=declared_tables(settings.assets, contracts))


if __name__ == "__main__":
    _main()
