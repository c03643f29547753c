"""A platform that is backed up at work and destroyed comes back as it was at any moment, and everything agrees."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event

import pytest
from backed_up import Installed, installation, names, register_model

from lastmile.embedded.drill import drill
from lastmile.embedded.restore import restore, restore_export, target_settings
from lastmile.errors import UserError
from lastmile.operations.audit import violations
from lastmile.operations.backup.catalogue import backups, newest_before
from lastmile.operations.backup.history import attempts, drills
from lastmile.operations.backup.repository import silent
from lastmile.operations.backup.verification import faults


@dataclass
class Destroyed:
    """What is left of an installation: its backups. `between` is a moment after visit b and before visit c."""

    was: Installed
    between: datetime


@pytest.fixture(scope="module")
def destroyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Destroyed]:
    """a, full backup; b, moment, c and a model, incremental backup, d; then cluster and objects are lost."""
    with installation(tmp_path_factory.mktemp("destroyed")) as here:
        here.load("a")
        assert here.back_up().backup.kind == "full"
        with here.archiving():
            here.load("b")
            between = here.now()
            here.load("c")
            register_model(here.site)
            assert here.back_up().backup.kind == "incremental"
            here.load("d")
            here.back_up("logical")
        assert [one["error"] for one in attempts(here.site.connection)] == [None, None, None]
        here.destroy()
        yield Destroyed(here, between)


def test_a_destroyed_platform_comes_back_with_all_that_was_archived(destroyed: Destroyed, tmp_path: Path) -> None:
    again = destroyed.was.restored(tmp_path / "home")
    found = again.made.agreement
    assert (found.faults, found.missing, found.newer) == ((), (), ())
    assert (found.drops, found.rows, found.models) == (4, 4, 1)
    assert again.visits() == ["a", "b", "c", "d"]


def test_a_moment_between_two_drops_has_the_one_and_not_the_other(destroyed: Destroyed, tmp_path: Path) -> None:
    again = destroyed.was.restored(tmp_path / "home", destroyed.between)
    found = again.made.agreement
    assert (found.faults, found.missing, found.newer) == ((), (), ())
    assert again.made.recovered_to is not None
    assert timedelta(0) <= destroyed.between - again.made.recovered_to < timedelta(minutes=2)
    with again.up() as site:
        assert site.visits() == ["a", "b"]
        assert names([one.key for one in site.store.list("landing/")]) == ["a.csv", "b.csv"]


def test_drops_after_the_moment_are_ingested_again_exactly_once(destroyed: Destroyed, tmp_path: Path) -> None:
    again = destroyed.was.restored(tmp_path / "home", destroyed.between, "newest")
    assert names(again.made.agreement.newer) == ["c.csv", "d.csv"]
    with again.up() as site:
        assert site.discover() == 2
        site.take()
        assert site.discover() == 0
        assert site.visits() == ["a", "b", "c", "d"]
        assert site.states() == ["loaded"] * 4
        assert violations(site.connection, "visits") == []
        assert site.cleaned() == ["a", "b", "c", "d"]


def test_what_the_database_names_and_the_store_lacks_is_named(destroyed: Destroyed, tmp_path: Path) -> None:
    again = destroyed.was.restored(tmp_path / "home", None, "keep")
    missing = again.made.agreement.missing
    assert [key for key in missing if key.startswith("landing/")] == [
        f"landing/visits/2020/{one}.csv" for one in "abcd"
    ]
    assert "models/level/1/model.skops" in missing
    assert again.visits() == ["a", "b", "c", "d"]


def test_backups_that_are_whole_have_no_faults(destroyed: Destroyed) -> None:
    assert faults(destroyed.was.repository, silent) == []


def test_a_home_that_is_there_is_left_alone(destroyed: Destroyed, tmp_path: Path) -> None:
    (tmp_path / "home" / "postgres" / "data").mkdir(parents=True)
    with pytest.raises(UserError, match="has a database already"):
        destroyed.was.restored(tmp_path / "home")
    assert not (tmp_path / "home" / "postgres" / "data" / "PG_VERSION").exists()


def test_objects_that_are_there_are_left_alone(destroyed: Destroyed, tmp_path: Path) -> None:
    (tmp_path / "home" / "store").mkdir(parents=True)
    (tmp_path / "home" / "store" / "precious").write_text("kept")
    with pytest.raises(UserError, match="has objects already, such as precious"):
        destroyed.was.restored(tmp_path / "home")
    assert (tmp_path / "home" / "store" / "precious").read_text() == "kept"


def test_a_moment_before_the_first_backup_is_refused(destroyed: Destroyed, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no backup from before"):
        destroyed.was.restored(tmp_path / "home", destroyed.between - timedelta(days=1))


def test_an_export_is_loaded_into_an_empty_database_of_any_server(
    destroyed: Destroyed, tmp_path: Path, empty_database_url: str
) -> None:
    import psycopg

    from lastmile.embedded.restore import load_export

    (export,) = [one for one in backups(destroyed.was.repository) if one.kind == "logical"]
    target = target_settings(destroyed.was.settings, tmp_path / "home", None)
    made = load_export(target, empty_database_url, destroyed.was.repository, export, "then", silent)
    assert (made.agreement.faults, made.agreement.missing, made.agreement.rows) == ((), (), 4)
    with psycopg.connect(empty_database_url) as connection:
        assert connection.execute("SELECT count(*) FROM raw.visits").fetchall() == [(4,)]
    with pytest.raises(UserError, match="tables already"):
        load_export(target, empty_database_url, destroyed.was.repository, export, "keep", silent)


def test_an_export_is_a_new_home_also_after_a_restore_that_was_killed(
    destroyed: Destroyed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (export,) = [one for one in backups(destroyed.was.repository) if one.kind == "logical"]
    target = target_settings(destroyed.was.settings, tmp_path / "home", None)
    with monkeypatch.context() as patched:
        patched.setattr("lastmile.embedded.restore.agreement", _interrupted)
        with pytest.raises(Killed):
            restore_export(target, destroyed.was.repository, export)
    made = restore_export(target, destroyed.was.repository, export)
    assert (made.agreement.faults, made.agreement.missing, made.agreement.rows) == ((), (), 4)
    with pytest.raises(UserError, match="has objects already"):
        restore_export(target, destroyed.was.repository, export)


class Killed(Exception):
    """Stands for the end of the process."""


def _interrupted(*_: object) -> None:
    raise Killed


def test_exports_alone_have_no_latest_moment_and_their_name_is_said(destroyed: Destroyed) -> None:
    exports = [one for one in backups(destroyed.was.repository) if one.kind == "logical"]
    with pytest.raises(UserError, match=f"exports only.*--from {exports[0].id}"):
        newest_before(exports, None)


def test_a_backup_of_newer_code_is_refused_before_anything_is_written(destroyed: Destroyed, tmp_path: Path) -> None:
    from dataclasses import replace

    newer = replace(backups(destroyed.was.repository)[0], revision="9999")
    target = target_settings(destroyed.was.settings, tmp_path / "home", None)
    with pytest.raises(UserError, match="is of newer code"):
        restore(target, destroyed.was.repository, newer, None)
    assert not (tmp_path / "home").exists()


def test_a_backup_made_while_drops_come_has_each_of_them_whole(tmp_path: Path) -> None:
    with installation(tmp_path) as here, here.archiving():
        loaded: list[str] = []
        done = Event()

        def keep_loading() -> None:
            while not done.is_set():
                visit = f"v{len(loaded):04}"
                here.load(visit)
                loaded.append(visit)

        with ThreadPoolExecutor(1) as drops:
            coming = drops.submit(keep_loading)
            here.back_up("full")
            here.back_up()
            done.set()
            coming.result()
        here.wait_until_received()
        assert len(loaded) > 2
    again = here.restored(tmp_path / "again")
    found = again.made.agreement
    assert found.faults == ()
    assert again.visits() == loaded
    assert len(backups(here.repository)) == 2


def test_a_drill_records_how_it_went_and_leaves_nothing(tmp_path: Path) -> None:
    with installation(tmp_path) as here:
        here.load("a")
        with pytest.raises(UserError, match="there is no backup"):
            drill(here.settings, here.url, here.repository, None, silent)
        here.back_up()
        with here.archiving():
            here.load("b")
        made = drill(here.settings, here.url, here.repository, None, silent)
        assert (made.agreement.rows, made.agreement.faults, made.agreement.missing) == (2, (), ())
        good, bad = drills(here.site.connection)
        assert "there is no backup" in bad["error"]
        assert (good["faults"], good["error"], good["backup"]) == ([], None, made.backup)
        assert 0 <= good["rpo_seconds"] < 120
        assert good["rto_seconds"] > 0
        assert list((here.settings.home / "backup").glob("drill-*")) == []
        assert here.site.visits() == ["a", "b"]


def test_a_bucket_keeps_backups_and_gives_them_back(tmp_path: Path, s3_store_url: str) -> None:
    with installation(tmp_path, url=f"{s3_store_url}/backups") as here:
        here.load("a")
        here.back_up()
        here.load("b")
        here.back_up()
        assert faults(here.repository, silent) == []
        here.destroy()
        again = here.restored(tmp_path / "again")
    assert again.made.agreement.faults == ()
    assert again.visits() == ["a", "b"]
