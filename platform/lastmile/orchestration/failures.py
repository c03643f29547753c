"""Runs that failed and were not made good: what failed, why, and the command that makes it again.

What failed stays failed until it is made, also after a stop: automation requests nothing as long as what the run was
made from does not change. So the history of runs is looked at, newest first, not only the runs of this session.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dagster import DagsterInstance, DagsterRun

#: Runs of the history that are looked at.
_RUNS = 200
_LONGEST = 300
#: Tags of a run with its first and its last partition, where it has several.
RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True)
class Failure:
    """`assets` are those of the run that were not made since; `partitions` first and last, None where they have none.

    `reason` is the error in one line.
    """

    run_id: str
    assets: Sequence[str]
    partitions: tuple[str, str] | None
    reason: str

    def __str__(self) -> str:
        shown = ", ".join(self.assets[:3]) + (f" and {len(self.assets) - 3} more" if len(self.assets) > 3 else "")
        span = f" {'-'.join(dict.fromkeys(self.partitions))}" if self.partitions else ""
        return f"{shown}{span} failed (run {self.run_id[:8]}): {self.reason}"

    def command(self) -> str:
        """What makes it again."""
        select = " or ".join(f'key:"{asset}"' for asset in self.assets)
        span = " --from {} --to {}".format(*self.partitions) if self.partitions else ""
        return f"lastmile backfill --select '{select}'{span}"


def failures_in_code(instance: "DagsterInstance", workspace: Path) -> list[Failure]:
    """The standing failures of assets that the code still has; of all, where no code is loaded."""
    failures = standing_failures(instance)
    if not failures:
        return []
    from lastmile.orchestration.dagster_compat import graphql  # 1.5 CPU-s and 40 MB

    with graphql.workspace(instance, workspace) as loaded:
        known = {key.to_user_string() for key in loaded.asset_graph().get_all_asset_keys()}
    left = [replace(one, assets=[asset for asset in one.assets if asset in known or not known]) for one in failures]
    return [failure for failure in left if failure.assets]


def standing_failures(instance: "DagsterInstance") -> list[Failure]:
    """The newest first. A run is made good by later ones that succeeded with its assets, first and last partition."""
    from dagster import DagsterRunStatus, RunsFilter

    ended = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE]
    made: set[tuple[str, str, str]] = set()
    found: list[Failure] = []
    for run in instance.get_runs(RunsFilter(statuses=ended), limit=_RUNS):
        partitions = partitions_of_run(run)
        first, last = partitions or ("", "")
        if run.is_success:
            made |= {(asset, first, last) for asset in assets_of_run(run)}
        elif not will_be_retried(run):
            own = _made_in(instance, run)  # where one branch failed, others did not
            left = [one for one in assets_of_run(run) if one not in own and not _is_made(one, (first, last), made)]
            if left:
                made |= {(asset, first, last) for asset in left}  # said once, of the newest run
                found.append(Failure(run.run_id, left, partitions, reason(instance, run.run_id)))
    return found


def assets_of_run(run: "DagsterRun") -> list[str]:
    return sorted(key.to_user_string() for key in run.asset_selection or ())


def partitions_of_run(run: "DagsterRun") -> tuple[str, str] | None:
    """First and last; None where its assets have none."""
    if "dagster/partition" in run.tags:
        return run.tags["dagster/partition"], run.tags["dagster/partition"]
    if RANGE[0] in run.tags:
        return run.tags[RANGE[0]], run.tags[RANGE[1]]
    return None


def will_be_retried(run: "DagsterRun") -> bool:
    """Whether Dagster makes another run in place of one that failed, with the same tags."""
    return run.tags.get("dagster/will_retry") == "true"


def plain(text: str) -> str:
    """Without what colours a terminal."""
    return _ANSI.sub("", text)


def _made_in(instance: "DagsterInstance", run: "DagsterRun") -> set[str]:
    """The assets that a run has made, in all of its partitions as each step makes them in one go."""
    from dagster import DagsterEventType

    records = instance.get_records_for_run(run.run_id, of_type=DagsterEventType.ASSET_MATERIALIZATION).records
    events = [record.event_log_entry.dagster_event for record in records]
    return {event.asset_key.to_user_string() for event in events if event and event.asset_key}


def _is_made(asset: str, ends: Iterable[str], made: set[tuple[str, str, str]]) -> bool:
    return all(any(name == asset and first <= end <= last for name, first, last in made) for end in ends)


def reason(instance: "DagsterInstance", run_id: str) -> str:
    """The innermost error of the first step that failed, or why the run did."""
    from dagster import DagsterEventType

    for kind in (DagsterEventType.STEP_FAILURE, DagsterEventType.RUN_FAILURE):
        for record in instance.get_records_for_run(run_id, of_type=kind, limit=1).records:
            event = record.event_log_entry.dagster_event
            error = getattr(event.event_specific_data, "error", None) if event else None
            while error is not None and error.cause is not None:
                error = error.cause
            text = plain(error.message if error else (event and event.message) or "").strip()
            if text:
                return one_line(text)
    return "no reason is recorded; its events are in the web UI"


def one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
