"""Alerts: how often they are evaluated, where they go, and what is too much of the platform itself."""

from dataclasses import dataclass

from lastmile.settings.group import at_least, variable


@dataclass(frozen=True)
class AlertSettings:
    """Where alerts go, and when messages are sent."""

    channels: str | None = variable(
        "LASTMILE_ALERTS_CHANNELS",
        "Channels as `name=address`, separated by blanks or lines; an address is one of apprise's.",
        None,
        secret=True,
        example="survey-team=mailtos://user:password@example.org?to=ada@example.org",
    )
    owner: str = variable("LASTMILE_ALERTS_OWNER", "The owner of alerts about the platform itself.", "platform")
    seconds: float = variable("LASTMILE_ALERTS_SECONDS", "How often rules are evaluated.", 15.0, check=at_least(0.1))
    group_seconds: float = variable(
        "LASTMILE_ALERTS_GROUP_SECONDS", "How long what belongs together is waited for.", 30.0, check=at_least(0)
    )
    regroup_minutes: float = variable(
        "LASTMILE_ALERTS_REGROUP_MINUTES",
        "At least so long after a message more of its kind waits.",
        5,
        check=at_least(0),
    )
    repeat_hours: float = variable(
        "LASTMILE_ALERTS_REPEAT_HOURS", "After how long what goes on is said again.", 12.0, check=at_least(0.001)
    )
    runbook: str = variable(
        "LASTMILE_ALERTS_RUNBOOK", "Where the runbook is; messages link to its entries.", "docs/runbook.md"
    )


@dataclass(frozen=True)
class PlatformLimits:
    """From which value on there is an alert about the platform itself."""

    daemon_seconds: float = variable(
        "LASTMILE_ALERTS_DAEMON_SECONDS", "Age of the daemon's last heartbeat.", 120.0, check=at_least(1)
    )
    dead_seconds: float = variable(
        "LASTMILE_ALERTS_DEAD_SECONDS",
        "How long something has to be dead: what dies is started again.",
        60.0,
        check=at_least(0),
    )
    backlog: float = variable("LASTMILE_ALERTS_BACKLOG", "Drops that wait.", 10_000.0, check=at_least(1))
    lag_minutes: float = variable(
        "LASTMILE_ALERTS_LAG_MINUTES", "Age of the oldest drop that waits.", 30.0, check=at_least(0)
    )
    run_failures: int = variable(
        "LASTMILE_ALERTS_RUN_FAILURES", "Failures in a row of an asset or a job.", 3, check=at_least(1)
    )
    tick_failures: int = variable(
        "LASTMILE_ALERTS_TICK_FAILURES", "Failed ticks in a row of a sensor or schedule.", 3, check=at_least(1)
    )
    disk_free: float = variable(
        "LASTMILE_ALERTS_DISK_FREE",
        "Share of the home's disk that is free, below which it is little.",
        0.1,
        check=at_least(0),
    )
    backup_hours: float = variable("LASTMILE_ALERTS_BACKUP_HOURS", "Age of the newest backup.", 26.0, check=at_least(0))
    log_minutes: float = variable(
        "LASTMILE_ALERTS_LOG_MINUTES", "Since the database's log was last archived.", 15.0, check=at_least(0)
    )
    undelivered_minutes: float = variable(
        "LASTMILE_ALERTS_UNDELIVERED_MINUTES", "How long a message cannot be delivered.", 15.0, check=at_least(0)
    )
