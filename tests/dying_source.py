"""Runs the source of a shop and kills itself at a point: `dying_source.py DATABASE_URL STORE_URL API_URL WHERE`."""

import os
import signal
import sys
from pathlib import Path

import psycopg
from orders import Shop
from rest_server import Api

from lastmile.settings import Settings
from lastmile.sources import fetches, landing, running, runs
from lastmile.sources.rest.client import Client
from lastmile.store import Store, open_store

STEPS = ["between two pages", "before the intent", "before the put", "after the put", "after landing"]


def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)


def dying_at(number, way):
    """Dies instead of the call of this number."""
    calls = iter(range(1, number + 1))
    return lambda *arguments: die() if next(calls) == number else way(*arguments)


def arrange_to_die(where):
    if where == "between two pages":
        Client._try = dying_at(2, Client._try)
    elif where == "before the intent":
        running._land = die
    elif where == "before the put":
        Store.put = die
    elif where == "after the put":
        fetches.landed = die
    elif where == "after landing":
        runs.end = die
    else:
        raise ValueError(where)


if __name__ == "__main__":
    database_url, store_url, api_url, where = sys.argv[1:]
    arrange_to_die(where)
    store = open_store(Settings(Path(), database_url, store_url, "none"))
    with psycopg.connect(database_url, autocommit=True) as connection:
        shop = Shop(Api(api_url), store, connection)
        running.run(connection, store, shop.source(), shop.contract)
    landing.resolve(connection, store, "unreached")
