"""Where this installation keeps things and what it talks to, read from the environment once.

Nothing set means everything embedded: a Postgres of its own and a folder of objects under `LASTMILE_HOME`, which is
`.lastmile` in the project unless set. Each URL given replaces its part. Every process of one installation reads the
same variables, so all agree.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from lastmile.project import ASSETS, Project
from lastmile.settings.given import is_set
from lastmile.settings.group import begins_with, load, one_of, variable


@dataclass(frozen=True)
class Settings:
    """Where things are. `home` holds all state; `given_database_url` is None for the embedded Postgres; `store_url`
    names the objects; `assets` is the package that says what is made, by domain."""

    home: Path = variable("LASTMILE_HOME", "Folder of all state.", Path(".lastmile"))
    given_database_url: str | None = variable(
        "LASTMILE_DATABASE_URL",
        "The Postgres to use; the embedded one where not set.",
        None,
        secret=True,
        example="postgresql://user:password@host:5432/database",
        check=begins_with("postgresql://", "postgres://"),
    )
    store_url: str = variable(
        "LASTMILE_STORE_URL",
        "Where the objects are; a folder of the home where not set.",
        "",
        example="s3://bucket/prefix",
        check=begins_with("s3://", "gs://", "az://", "file://", "memory://"),
    )
    assets: str = variable("LASTMILE_ASSETS", "The package that says what is made.", ASSETS)
    notifications_url: str | None = variable(
        "LASTMILE_NOTIFICATIONS_URL",
        "The SQS queue that the bucket's notifications go to.",
        None,
        check=begins_with("https://", "http://"),
    )
    dask_scheduler: str | None = variable(
        "LASTMILE_DASK_SCHEDULER", "Address of a Dask cluster's scheduler that drops are ingested on, or `local`.", None
    )
    profile: str = variable(
        "LASTMILE_PROFILE",
        "How Dagster is set up: `single` machine or `cluster`.",
        "single",
        check=one_of("cluster", "single"),
    )
    redis_url: str | None = variable(
        "LASTMILE_REDIS_URL",
        "The Redis of each entity's newest features; Postgres where not set.",
        None,
        secret=True,
        check=begins_with("redis://", "rediss://", "unix://"),
    )
    mlflow_url: str | None = variable("LASTMILE_MLFLOW_URL", "The MLflow that shows versions of models, too.", None)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Raises UserError where a variable cannot be what it is."""
        found, project = load(cls, environ), Project.find()
        home = found.home if is_set("LASTMILE_HOME", environ) else Project.current().folder / found.home
        home = home.expanduser().resolve()
        return replace(
            found,
            home=home,
            store_url=found.store_url or (home / "store").as_uri(),
            assets=found.assets if is_set("LASTMILE_ASSETS", environ) or project is None else project.assets,
        )

    @cached_property
    def postgres_folder(self) -> Path:
        return self.home / "postgres"

    @cached_property
    def dagster_home(self) -> Path:
        return self.home / "dagster"

    @cached_property
    def kafka_folder(self) -> Path:
        return self.home / "kafka"
