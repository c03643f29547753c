"""Where this installation keeps things and what it talks to, read from the environment once.

Nothing set means everything embedded: a Postgres of its own and a folder of objects under `LASTMILE_HOME`, which is
`.lastmile` in the project unless set. Each URL given replaces its part. Every process of one installation reads the
same variables, so all agree.
"""

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lastmile.project import ASSETS, Project


@dataclass(frozen=True)
class Settings:
    """`home` holds all state; `given_database_url` is None for the embedded Postgres; `store_url` names the objects;
    `assets` is the package that says what is made, by domain.

    `notifications_url` is the SQS queue that the bucket's notifications go to, where there is one. `dask_scheduler` is
    the address of a Dask cluster's scheduler that drops are ingested on, or `local`; None: in the run's own process.
    `profile` is how Dagster is set up: `single` machine or `cluster`. The newest features of each entity are
    kept in the Redis of `redis_url` where there is one, else in Postgres. Versions of models are shown in
    the MLflow of `mlflow_url`, too, where there is one.
    """

    home: Path
    given_database_url: str | None
    store_url: str
    assets: str
    notifications_url: str | None = None
    dask_scheduler: str | None = None
    profile: str = "single"
    redis_url: str | None = None
    mlflow_url: str | None = None

    @classmethod
    def from_environment(cls) -> "Settings":
        project = Project.find()
        home = Path(os.environ.get("LASTMILE_HOME") or Project.current().folder / ".lastmile").expanduser().resolve()
        return cls(
            home=home,
            given_database_url=os.environ.get("LASTMILE_DATABASE_URL") or None,
            store_url=os.environ.get("LASTMILE_STORE_URL") or (home / "store").as_uri(),
            assets=os.environ.get("LASTMILE_ASSETS") or (project.assets if project else ASSETS),
            notifications_url=os.environ.get("LASTMILE_NOTIFICATIONS_URL") or None,
            dask_scheduler=os.environ.get("LASTMILE_DASK_SCHEDULER") or None,
            profile=os.environ.get("LASTMILE_PROFILE") or "single",
            redis_url=os.environ.get("LASTMILE_REDIS_URL") or None,
            mlflow_url=os.environ.get("LASTMILE_MLFLOW_URL") or None,
        )

    @cached_property
    def postgres_folder(self) -> Path:
        return self.home / "postgres"

    @cached_property
    def dagster_home(self) -> Path:
        return self.home / "dagster"
