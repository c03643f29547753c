"""Logs the exposure of 300 rows and kills itself at a point: `dying_exposure.py DATABASE_URL WHERE`."""

import os
import signal
import sys

import pandas as pd
import psycopg
from fields import FIELDS, fields
from psycopg.types.json import Jsonb

from lastmile.learning.experiments import exposures
from lastmile.learning.experiments.experiment import running


def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)


def dying_after(count):
    """`Jsonb` that is called once a row, until it is too often."""
    left = iter(range(count))
    return lambda value: Jsonb(value) if next(left, None) is not None else die()


if __name__ == "__main__":
    database_url, where = sys.argv[1:]
    with psycopg.connect(database_url, autocommit=True) as connection:
        rows, experiment = fields(), running(connection, "fields")
        answered = pd.Series("1", index=rows.index)
        if where == "within the batch":
            exposures.Jsonb = dying_after(150)
        with connection.transaction():
            exposures.expose(connection, experiment, FIELDS, rows, answered, {})
            die()  # before the commit
