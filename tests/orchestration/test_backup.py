"""Backups and drills by schedule: only where there is a place for them, and a command that fails fails its run."""

import dagster as dg
import pytest

from lastmile.orchestration.backup import back_up, drill, nightly_backup, weekly_drill


def requests(schedule: dg.ScheduleDefinition, instance: dg.DagsterInstance) -> int:
    with dg.build_schedule_context(instance=instance) as context:
        return len(schedule.evaluate_tick(context).run_requests or [])


@pytest.fixture
def no_backups(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("URL", "RECIPIENTS", "IDENTITY"):
        monkeypatch.delenv(f"LASTMILE_BACKUP_{name}", raising=False)


@pytest.mark.usefixtures("no_backups")
def test_backups_are_made_where_there_is_a_place_for_them(instance, monkeypatch: pytest.MonkeyPatch) -> None:
    assert requests(nightly_backup, instance) == 0
    monkeypatch.setenv("LASTMILE_BACKUP_URL", "file:///backups")
    assert requests(nightly_backup, instance) == 1


@pytest.mark.usefixtures("no_backups")
def test_a_drill_needs_the_key_where_backups_are_encrypted(instance, monkeypatch: pytest.MonkeyPatch) -> None:
    assert requests(weekly_drill, instance) == 0
    monkeypatch.setenv("LASTMILE_BACKUP_URL", "file:///backups")
    assert requests(weekly_drill, instance) == 1
    monkeypatch.setenv("LASTMILE_BACKUP_RECIPIENTS", "age1...")
    assert requests(weekly_drill, instance) == 0
    monkeypatch.setenv("LASTMILE_BACKUP_IDENTITY", "/keys/backup")
    assert requests(weekly_drill, instance) == 1


@pytest.mark.usefixtures("no_backups", "environment")
def test_a_drill_that_fails_fails_its_run_with_the_reason(instance) -> None:
    done = drill.execute_in_process(instance=instance, raise_on_error=False)
    assert not done.success
    (failure,) = [event for event in done.all_node_events if event.is_step_failure]
    assert "there is no place for backups: set LASTMILE_BACKUP_URL" in str(failure.event_specific_data)
    assert back_up.name == "back_up"
