"""How long is kept what only describes the past. Rows of data and the ledger are never among it."""

from dataclasses import dataclass

from lastmile.settings.group import at_least, variable


@dataclass(frozen=True)
class RetentionSettings:
    """Days, unless a name says otherwise; what the present depends on stays however old it is."""

    runs: int = variable(
        "LASTMILE_KEEP_RUNS_DAYS", "Days that runs, their events and results of checks are kept.", 14, check=at_least(1)
    )
    evaluations: int = variable(
        "LASTMILE_KEEP_EVALUATIONS_DAYS",
        "Days that it is kept why automation requested an asset or not.",
        3,
        check=at_least(1),
    )
    skipped_ticks: int = variable(
        "LASTMILE_KEEP_SKIPPED_TICKS_DAYS", "Days that ticks that requested nothing are kept.", 2, check=at_least(1)
    )
    ticks: int = variable("LASTMILE_KEEP_TICKS_DAYS", "Days that other ticks are kept.", 30, check=at_least(1))
    step_logs: int = variable(
        "LASTMILE_KEEP_STEP_LOGS_DAYS", "Days that what steps printed is kept.", 14, check=at_least(1)
    )
    log_megabytes: int = variable(
        "LASTMILE_KEEP_LOG_MEGABYTES", "Size over which a process's log begins anew.", 20, check=at_least(1)
    )
    reports: int = variable(
        "LASTMILE_KEEP_REPORTS_DAYS",
        "Days that earlier editions of a report are kept; the latest stays.",
        365,
        check=at_least(1),
    )
    model_versions: int = variable(
        "LASTMILE_KEEP_MODEL_VERSIONS",
        "Newest versions of a model whose files are kept; those that were ever in use stay as well.",
        20,
        check=at_least(2),
    )
    answers: int = variable(
        "LASTMILE_KEEP_ANSWERS_DAYS", "Days that the log of answered predictions is kept.", 365, check=at_least(1)
    )
    submissions: int = variable(
        "LASTMILE_KEEP_SUBMISSIONS_DAYS",
        "Days that jobs of submissions whose records are in loaded drops, or replaced, are kept.",
        365,
        check=at_least(1),
    )
    source_runs: int = variable(
        "LASTMILE_KEEP_SOURCE_RUNS_DAYS",
        "Days that runs of sources are kept, and what is known of full fetches that were replaced.",
        90,
        check=at_least(1),
    )
    stream_history: int = variable(
        "LASTMILE_KEEP_STREAM_HISTORY_DAYS",
        "Days that it is kept which ranges of topics were landed, of replays, and of looked-up tables.",
        90,
        check=at_least(1),
    )
    messages: int = variable(
        "LASTMILE_KEEP_MESSAGES_DAYS",
        "Days that messages and events of streams that were left out are kept in quarantine.",
        365,
        check=at_least(1),
    )
    audit: int = variable(
        "LASTMILE_KEEP_AUDIT_DAYS", "Days that the audit log is kept; 0: for ever.", 0, check=at_least(0)
    )
