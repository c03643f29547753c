"""`lastmile doctor`: try each part of this installation for real, and say what to do about those that do not work."""

import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lastmile.errors import UserError
from lastmile.project import Project
from lastmile.settings import Settings

if TYPE_CHECKING:
    from lastmile.contracts.alerts import Route
    from lastmile.contracts.broken import Broken

_FREE_BYTES = 2 * 1024**3
_UI_PORT = 3000

Subject = TypeVar("Subject")


@dataclass(frozen=True)
class Finding:
    """`found` says what is there or, where it is not `ok`, what is wrong and what to do."""

    check: str
    ok: bool
    found: str


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for programs.")] = False,
) -> None:
    """Look at every part of this installation; the exit code is 1 if any needs attention.

    An embedded database that is down is started for this.

    Example: lastmile doctor --json
    """
    findings = list(examine(Settings.from_environment()))
    healthy = all(finding.ok for finding in findings)
    if as_json:
        print(json.dumps({"ok": healthy, "checks": [asdict(finding) for finding in findings]}))
    else:
        Console().print(_table(findings))
    if not healthy:
        raise typer.Exit(1)


def examine(settings: Settings) -> Iterator[Finding]:
    """All findings, in the order in which to correct what is wrong."""
    from lastmile.embedded.database import database

    yield _look("settings", _settings, settings)
    yield _look("home", _home, settings)
    yield _look("disk space", _disk_space, settings)
    yield _look("contracts", _contracts, settings)
    yield _look("code", _code, settings)
    yield _look("store", _store, settings)
    if settings.notifications_url:
        yield _look("notifications", _notifications, settings.notifications_url)
    try:
        with database(settings) as url:
            yield _look("database", _database, url)
            migrations = _look("migrations", _migrations, url)
            yield migrations
            if migrations.ok:
                yield _look("landing area", partial(_landing, url), settings)
    except UserError as error:
        yield Finding("database", False, str(error))
    if kafka := _kafka_of(settings):
        yield _look("Kafka", _kafka, kafka)
        yield _look("schema registry", _registry, settings)
    yield _look("dagster", _dagster, settings)
    yield _look("alerts", _alerts, settings)
    yield _look("backups", _backups, settings)
    yield _look("web UI", _web_ui, settings)


def _look(name: str, check: Callable[[Subject], str], subject: Subject) -> Finding:
    try:
        return Finding(name, True, check(subject))
    except UserError as error:
        return Finding(name, False, str(error))


def _table(findings: list[Finding]) -> Table:
    table = Table("check", "", "found", title="lastmile doctor", title_justify="left")
    for finding in findings:
        table.add_row(finding.check, "[green]ok[/]" if finding.ok else "[red]wrong[/]", Text(finding.found))
    return table


def _settings(_: Settings) -> str:
    from lastmile.settings.all import all_faults, known, unknown

    if found := [*all_faults(), *unknown()]:
        raise UserError("; ".join(found))
    return f"all {len(known())} can be used; `lastmile config show` lists them"


def _home(settings: Settings) -> str:
    _try_to_write(settings.home)
    return str(settings.home)


def _disk_space(settings: Settings) -> str:
    free = shutil.disk_usage(_nearest_folder(settings.home)).free
    if free < _FREE_BYTES:
        raise UserError(
            f"{free / 1024**3:.1f} GB free for {settings.home}, which should be {_FREE_BYTES / 1024**3:.0f} at least:"
            " make room, or set LASTMILE_HOME to a larger disk"
        )
    return f"{free / 1024**3:.0f} GB free"


def _kafka_of(settings: Settings) -> dict[str, str]:
    """How the cluster, or this home's own broker that is up, is reached; nothing where there is neither."""
    from lastmile.embedded.home_lock import holder
    from lastmile.embedded.kafka import URL, given_servers, variables
    from lastmile.settings.group import load
    from lastmile.settings.kafka import KafkaSettings

    environ = {**os.environ, **variables(settings)}
    is_up = given_servers(settings) is not None or holder(settings) is not None
    return load(KafkaSettings, environ).client() if environ.get(URL) and is_up else {}


def _kafka(configuration: dict[str, str]) -> str:
    from lastmile.streaming.cluster import described

    return described(configuration)


def _registry(settings: Settings) -> str:
    from lastmile.settings.group import load
    from lastmile.settings.kafka import SchemaRegistrySettings
    from lastmile.streaming.schemas.registry import open_registry

    count = len(open_registry(settings).subjects())
    return f"{load(SchemaRegistrySettings).url or 'our own, in the store'}: {count} subjects"


def _contracts(settings: Settings) -> str:
    from lastmile.contracts.loading import load_contracts

    try:
        contracts = load_contracts(settings.assets)
    except Exception as error:
        # The package is anyone's Python, so it may fail in any way.
        raise UserError(f"{settings.assets}: {type(error).__name__}: {error}; correct that file") from error
    if contracts.broken:
        raise UserError("; ".join(map(str, contracts.broken)))
    if not contracts:
        raise UserError(f"{settings.assets} declares no dataset: add a file with a `contract` to it")
    return f"{', '.join(contracts)} from {settings.assets}"


def _code(settings: Settings) -> str:
    from lastmile.embedded.faults import faults

    if found := faults(settings):
        raise UserError("; ".join(found))
    return "everything declared can be used, and no sensor fails"


def _landing(url: str, settings: Settings) -> str:
    from lastmile.ledger.presence import unlisted
    from lastmile.warehouse.connections import connect
    from lastmile.warehouse.migrate import pending

    if pending(url):
        return "not looked at yet"
    with connect(url) as connection:
        found = unlisted(connection, settings.store_url.rstrip("/"))
    if found:
        raise UserError("; ".join(f"{key} is {why}" for key, why, _ in found))
    return "everything in it can be listed"


def _store(settings: Settings) -> str:
    from lastmile.store import open_store

    store, key, body = open_store(settings), f"doctor/{uuid.uuid4()}", os.urandom(16)
    store.put(key, body)
    try:
        if store.read(key) != body or key not in (listed.key for listed in store.list("doctor")):
            raise UserError(f"{store.url} does not give back what was just written: is it shared with another service?")
    finally:
        store.delete(key)
    return f"{store.url} can be listed, read and written"


def _notifications(queue_url: str) -> str:
    from lastmile.store.queue import queue_depth

    return f"{queue_depth(queue_url)} wait in {queue_url}"


def _database(url: str) -> str:
    from lastmile.warehouse.connections import connect, libpq_environment

    with connect(url) as connection:
        version = connection.info.parameter_status("server_version")
    address = libpq_environment(url)
    return f"Postgres {version} at {address['PGHOST']}:{address['PGPORT']}/{address['PGDATABASE']}"


def _migrations(url: str) -> str:
    from lastmile.warehouse.migrate import FIRST, pending

    missing = pending(url)
    if missing and missing[0] == FIRST:
        return "a new database: `lastmile up` sets it up"
    if missing:
        raise UserError(f"{', '.join(missing)} not applied yet: `lastmile up` applies them")
    return "all applied"


def _dagster(settings: Settings) -> str:
    project = Project.current()
    _try_to_write(settings.dagster_home)
    return f"{project.definitions} of {project.folder}; its home is {settings.dagster_home}"


def _routes(assets: str) -> "tuple[Sequence[Route], Sequence[Broken]]":
    """None where there is no such package, which is said of the contracts."""
    from lastmile.contracts.loading import load_routes

    try:
        return load_routes(assets)
    except ImportError:
        return (), ()


def _alerts(settings: Settings) -> str:
    from lastmile.operations.alerts.delivery.channels import channels, unusable
    from lastmile.settings.alerts import AlertSettings
    from lastmile.settings.group import load

    known, (routes, broken) = channels(load(AlertSettings)), _routes(settings.assets)
    if broken:
        raise UserError("; ".join(map(str, broken)))
    if bad := unusable(known):
        raise UserError(f"no service that apprise knows fits the address of {', '.join(bad)}; `lastmile alerts test`")
    named = {name for route in routes for name in (*route.channels, *route.escalate_to)}
    if known and (unknown := sorted(named - known.keys())):
        raise UserError(f"routes name {', '.join(unknown)}, which LASTMILE_ALERTS_CHANNELS does not have")
    if not known:
        return "no channel is configured, so alerts are listed only: `lastmile alerts list`, docs/alerts.md"
    return f"channels {', '.join(known)}; try them with `lastmile alerts test`"


def _backups(settings: Settings) -> str:
    from lastmile.operations.backup.catalogue import backups
    from lastmile.operations.backup.repository import open_repository
    from lastmile.settings.backup import BackupSettings
    from lastmile.settings.group import load

    backup = load(BackupSettings)
    if backup.url is None:
        return "none are made: LASTMILE_BACKUP_URL says where to, docs/backup.md"
    if not (found := backups(open_repository(settings, backup))):
        return f"{backup.url} has none yet: `lastmile backup` makes one"
    return f"{backup.url} has {len(found)}, the newest of {found[-1].ended_at:%Y-%m-%d %H:%M} UTC"


def _web_ui(settings: Settings) -> str:
    from lastmile.embedded.home_lock import holder
    from lastmile.embedded.postgres import port_is_free

    running = holder(settings)
    if running is not None:
        return f"the platform is up (process {running})"
    return f"port {_UI_PORT} is {'free' if port_is_free(_UI_PORT) else 'in use: `lastmile up` takes the next free one'}"


def _try_to_write(folder: Path) -> None:
    """Raises UserError where a file cannot be made in `folder`, or the folder itself not."""
    nearest = _nearest_folder(folder)
    try:
        if nearest != folder and not nearest.is_dir():
            raise NotADirectoryError(20, f"{nearest} is no folder")
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        raise UserError(
            f"cannot write to {folder}: {error.strerror}; set LASTMILE_HOME to a folder you can write to"
        ) from None


def _nearest_folder(path: Path) -> Path:
    """The path itself where it exists, else the closest of its parents that does."""
    return next(place for place in (path, *path.parents) if place.exists())
