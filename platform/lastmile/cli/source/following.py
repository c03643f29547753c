"""Following the changes of a database, here and now."""

import json
import signal
import threading
from typing import TYPE_CHECKING

from lastmile.cli.connection import opened
from lastmile.cli.source.progress import progress
from lastmile.errors import UserError
from lastmile.settings import Settings

if TYPE_CHECKING:
    from lastmile.contracts import Contract
    from lastmile.sources.declarations.source import Source


def follow(source: "Source", contract: "Contract", until_caught_up: bool, snapshot: bool, as_json: bool) -> None:
    """Until it is stopped (Ctrl-C), or caught up; where a process follows it, that one takes the wanted snapshot."""
    from lastmile.sources.changes.running import expect_changes, is_followed, request_snapshot, run_changes

    changes, stop = expect_changes(source, source.name), threading.Event()
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with opened(Settings.from_environment()) as (connection, _), progress(source.name) as done:
        if snapshot and is_followed(connection, changes):
            request_snapshot(connection, changes)
            print(f"{source.name}: the process that follows it loads all rows anew")
            return
        ran = run_changes(
            connection, changes, contract, progress=done, until_caught_up=until_caught_up, anew=snapshot, stop=stop
        )
    if as_json:
        print(json.dumps(vars(ran)))
        return
    for sentence in ran.events:
        print(sentence)
    print(f"{source.name}: {ran.records:,} rows and changes in {ran.requests:,} transactions, up to {ran.cursor_to}")


def drop(name: str) -> None:
    """Give up following a database: what was made there is dropped, so that it keeps no log for us. Tables here stay.

    Example: lastmile source drop shop_stock
    """
    from lastmile.sources.changes.running import drop as give_up
    from lastmile.sources.changes.running import expect_changes
    from lastmile.sources.declared import find

    settings = Settings.from_environment()
    source, _ = find(name, settings.assets)
    with opened(settings) as (connection, _store):
        if not give_up(connection, expect_changes(source, name)):
            raise UserError(f"source {name} is not followed")
    print(f"{name}: its slot and publication are dropped; changes.{name} and its history stay as they are")
