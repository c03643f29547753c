"""Dagster's record of what was made, for a command that changes something outside of a run."""

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lastmile.embedded.database import running_url
from lastmile.embedded.services import environment, prepare_dagster_home
from lastmile.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dagster import DagsterInstance


@contextmanager
def dagster_instance(settings: Settings) -> "Iterator[DagsterInstance]":
    """Of this home, whose database is up. Raises UserError where it is not."""
    os.environ.update(environment(settings, running_url(settings)))
    prepare_dagster_home(settings)
    from dagster import DagsterInstance

    with DagsterInstance.get() as instance:
        yield instance
