"""The alert rules of Prometheus, by promtool: each fires while its fault is there, not at once, and recovers."""

import re
import shutil
import subprocess
from dataclasses import dataclass, field

import pytest
import yaml
from checkout import PROJECT

PLACE = PROJECT / "platform" / "deploy" / "observability" / "prometheus"
RULES = {
    rule["alert"]: rule
    for group in yaml.safe_load((PLACE / "rules.yml").read_text())["groups"]
    for rule in group["rules"]
}
needs_promtool = pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed (apt: prometheus)")
#: Long enough for every window but one, in minutes.
AFTER = 70


@dataclass(frozen=True)
class Gauge:
    """Its value while the fault is there, and without it."""

    bad: float
    good: float

    def values(self, minutes: int, after: int) -> str:
        return f"{self.good} {self.bad}x{minutes} {self.good}x{after}"


@dataclass(frozen=True)
class Counter:
    """What it rises by in a minute while the fault is there, and without it."""

    bad: float
    good: float = 0

    def values(self, minutes: int, after: int) -> str:
        return f"0 0+{self.bad}x{minutes} {self.bad * minutes}+{self.good}x{after}"


@dataclass(frozen=True)
class Falling:
    """From where, and by what a minute, while the fault is there; then it stays."""

    start: float
    bad: float

    def values(self, minutes: int, after: int) -> str:
        return f"{self.start:f} {self.start:f}-{self.bad:f}x{minutes} {self.start - self.bad * minutes:f}+0x{after}"


@dataclass(frozen=True)
class Case:
    alert: str
    series: dict[str, Gauge | Counter | Falling]
    minutes: int
    labels: dict[str, str] = field(default_factory=dict)
    after: int = AFTER


STREAM = {"stream": "s"}
CASES = [
    Case("WatcherDown", {'up{job="lastmile"}': Gauge(0, 1)}, 4, {"job": "lastmile"}),
    Case("AlertsNotEvaluated", {"lastmile_watcher_age_seconds": Gauge(300, 5)}, 4),
    Case(
        "AlertsUndelivered",
        {'lastmile_alert_messages_undelivered{channel="mail"}': Gauge(2, 0)},
        40,
        {"channel": "mail"},
    ),
    Case(
        "DaemonDead",
        {
            f'lastmile_heartbeat_age_seconds{{daemon="{name}"}}': Gauge(400 + age, age)
            for name, age in (("a", 2), ("b", 99))
        },
        4,
    ),
    Case("ProcessDown", {'lastmile_process_up{process="daemon"}': Gauge(0, 1)}, 4, {"process": "daemon"}),
    Case("MetricsIncomplete", {'lastmile_scrape_errors_total{part="runs"}': Counter(4)}, 20, {"part": "runs"}),
    Case(
        "MemoryGrows",
        {'lastmile_process_resident_bytes{process="daemon"}': Counter(3e9 / 1440)},
        150,
        {"process": "daemon"},
        after=400,
    ),
    Case(
        "DiskFull",
        {'lastmile_disk_free_bytes{place="home"}': Gauge(5, 50), 'lastmile_disk_bytes{place="home"}': Gauge(100, 100)},
        20,
        {"place": "home"},
    ),
    Case(
        "DiskFillsUp", {'lastmile_disk_free_bytes{place="home"}': Falling(1e12, 6e8)}, 450, {"place": "home"}, after=400
    ),
    Case(
        "RunsFail",
        {'lastmile_run_failures_in_a_row{job_name="assets",by="landing"}': Gauge(3, 0)},
        3,
        {"job_name": "assets", "by": "landing"},
    ),
    Case("RunsWait", {'lastmile_runs_oldest_seconds{state="queued"}': Gauge(2000, 0)}, 8, {"state": "queued"}),
    Case("RunStuck", {'lastmile_runs_oldest_seconds{state="started"}': Gauge(20000, 0)}, 15, {"state": "started"}),
    Case("StepsFail", {'lastmile_steps_total{step="crop",state="failure"}': Counter(1)}, 20, {"step": "crop"}),
    Case("TicksFail", {'lastmile_tick_failures_in_a_row{name="landing"}': Gauge(3, 0)}, 3, {"name": "landing"}),
    Case("SensorSilent", {'lastmile_tick_age_seconds{name="landing"}': Gauge(900, 30)}, 8, {"name": "landing"}),
    Case("DropsWait", {'lastmile_lag_seconds{dataset="crop"}': Gauge(2000, 0)}, 8, {"dataset": "crop"}),
    Case("DropsFailed", {'lastmile_failed_drops{dataset="crop"}': Gauge(1, 0)}, 15, {"dataset": "crop"}),
    Case(
        "BadShareRises",
        {
            'lastmile_rows{dataset="crop",outcome="quarantined"}': Counter(50, 1),
            'lastmile_rows{dataset="crop",outcome="read"}': Counter(100, 100),
        },
        30,
        {"dataset": "crop"},
    ),
    Case(
        "DatasetStale",
        {'lastmile_check_failed{asset="cleaned/crop",check="fresh",severity="warn"}': Gauge(1, 0)},
        15,
        {"asset": "cleaned/crop"},
    ),
    Case(
        "CheckFailed",
        {'lastmile_check_failed{asset="cleaned/crop",check="rows_add_up",severity="error"}': Gauge(1, 0)},
        15,
        {"asset": "cleaned/crop", "check": "rows_add_up"},
    ),
    Case("RecordsWait", {'lastmile_records_waiting{dataset="crop"}': Gauge(5, 0)}, 30, {"dataset": "crop"}),
    Case("ConsumersGone", {'lastmile_stream_sign_age_seconds{stream="s"}': Gauge(300, 1)}, 4, STREAM),
    Case(
        "StreamBehind",
        {
            'lastmile_stream_lag_messages{stream="s"}': Gauge(1e6, 0),
            'lastmile_stream_events_total{stream="s"}': Counter(6e4, 6e4),
        },
        25,
        STREAM,
    ),
    Case(
        "StreamStands",
        {
            'lastmile_stream_lag_messages{stream="s"}': Gauge(5, 0),
            'lastmile_stream_events_total{stream="s"}': Counter(0, 10),
        },
        20,
        STREAM,
    ),
    Case(
        "PartitionBehind",
        {
            f'lastmile_stream_partition_lag_messages{{stream="s",partition="{number}"}}': Gauge(
                1e6 if number == 2 else 10, 10
            )
            for number in range(4)
        },
        20,
        STREAM,
    ),
    Case(
        "WatermarkStands",
        {
            'lastmile_stream_watermark_age_seconds{stream="s"}': Counter(60),
            'lastmile_stream_events_total{stream="s"}': Counter(10, 10),
        },
        50,
        STREAM,
    ),
    Case(
        "EventsLate",
        {
            'lastmile_stream_late_total{stream="s"}': Counter(20),
            'lastmile_stream_events_total{stream="s"}': Counter(80, 100),
        },
        15,
        STREAM,
    ),
    Case(
        "MessagesLeftOut",
        {'lastmile_stream_left_out{stream="s",rule="message"}': Gauge(3, 0)},
        8,
        {**STREAM, "rule": "message"},
    ),
    Case("MessagesGone", {'lastmile_stream_gone_messages{stream="s"}': Gauge(50, 0)}, 5, STREAM),
    Case("SourceFails", {'lastmile_source_failures_in_a_row{source="s"}': Gauge(3, 0)}, 8, {"source": "s"}),
    Case("SlotGrows", {'lastmile_source_slot_bytes{source="s"}': Counter(1e8)}, 40, {"source": "s"}),
    Case("ApiDown", {'up{job="lastmile-api"}': Gauge(0, 1)}, 3, {"job": "lastmile-api"}),
    Case(
        "ApiErrors",
        {
            'lastmile_api_requests_total{route="/drops",status="500"}': Counter(5),
            'lastmile_api_requests_total{route="/drops",status="200"}': Counter(100, 100),
        },
        15,
        {"route": "/drops"},
    ),
    Case(
        "ApiSlow",
        {
            'lastmile_api_request_seconds_bucket{route="/drops",le="5"}': Counter(90, 100),
            'lastmile_api_request_seconds_bucket{route="/drops",le="10"}': Counter(100, 100),
            'lastmile_api_request_seconds_bucket{route="/drops",le="+Inf"}': Counter(100, 100),
        },
        30,
        {"route": "/drops"},
    ),
    Case(
        "PredictionsSlow",
        {
            'lastmile_prediction_seconds_bucket{model="m",le="0.5"}': Counter(90, 100),
            'lastmile_prediction_seconds_bucket{model="m",le="1"}': Counter(100, 100),
            'lastmile_prediction_seconds_bucket{model="m",le="+Inf"}': Counter(100, 100),
        },
        30,
        {"model": "m"},
    ),
    Case("AnswersLost", {"lastmile_answers_lost_total": Counter(5)}, 5),
    Case("ModelDrifted", {'lastmile_model_drifted_inputs{model="m"}': Gauge(2, 0)}, 15, {"model": "m"}),
    Case("ModelPerformanceFell", {'lastmile_model_performance_fell{model="m"}': Gauge(1, 0)}, 15, {"model": "m"}),
    Case("DatabaseDown", {"lastmile_database_up": Gauge(0, 1)}, 3),
    Case(
        "ConnectionsRunOut",
        {"lastmile_database_connections_used": Gauge(90, 20), "lastmile_database_connections_most": Gauge(100, 100)},
        8,
    ),
    Case("LocksWait", {"lastmile_database_waiting_for_locks": Gauge(6, 0)}, 8),
    Case("TransactionOpen", {"lastmile_database_oldest_transaction_seconds": Gauge(20000, 1)}, 8),
    Case("Deadlocks", {"lastmile_database_deadlocks_total": Counter(1)}, 15),
    Case("TransactionsNotFrozen", {"lastmile_database_transaction_age": Gauge(1.5e9, 2e8)}, 90),
    Case("HistoryGrows", {'lastmile_schema_bytes{schema="dagster"}': Gauge(3e10, 1e9)}, 90),
    Case(
        "BackupOld",
        {f'lastmile_backup_age_seconds{{kind="{kind}"}}': Gauge(2e5, 3600) for kind in ("full", "incremental")},
        15,
    ),
    Case("LogNotArchived", {"lastmile_log_archive_age_seconds": Gauge(2000, 20)}, 8),
    Case("DrillFailed", {"lastmile_drill_failed": Gauge(1, 0)}, 15),
]


def expected(case):
    """The alert as promtool compares it, every label and text."""
    rule = RULES[case.alert]
    texts = {
        name: re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda found: case.labels[found[1]], text)
        for name, text in rule["annotations"].items()
    }
    return {"exp_labels": {**case.labels, **rule["labels"]}, "exp_annotations": texts}


def units(case, alert):
    """Right after the fault began there is none, at its end there is one, and long after it none again."""
    moments = [
        (1 if RULES[case.alert]["for"] != "0m" else 0, []),
        (case.minutes, [alert]),
        (case.minutes + case.after, []),
    ]
    return {
        "interval": "1m",
        "input_series": [
            {"series": name, "values": one.values(case.minutes, case.after)} for name, one in case.series.items()
        ],
        "alert_rule_test": [
            {"eval_time": f"{minute}m", "alertname": case.alert, "exp_alerts": alerts} for minute, alerts in moments
        ],
    }


def promtool(tmp_path, tests):
    file = tmp_path / "tests.yml"
    file.write_text(yaml.safe_dump({"rule_files": [str(PLACE / "rules.yml")], "tests": tests}))
    return subprocess.run(["promtool", "test", "rules", file], capture_output=True, text=True, timeout=300)


def test_every_rule_is_tried_once():
    assert [case.alert for case in CASES] == list(RULES)


@needs_promtool
@pytest.mark.parametrize("file", ["prometheus.yml", "one_machine.yml"])
def test_the_configurations_are_valid(tmp_path, file):
    """promtool wants the file of the key to be there."""
    key, placed = tmp_path / "metrics_key", tmp_path / file
    key.write_text("a key")
    (tmp_path / "rules.yml").write_text((PLACE / "rules.yml").read_text())
    placed.write_text((PLACE / file).read_text().replace("/run/secrets/metrics_key", str(key)))
    done = subprocess.run(["promtool", "check", "config", placed], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_every_rule_fires_and_recovers(tmp_path):
    done = promtool(tmp_path, [units(case, expected(case)) for case in CASES])
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
@pytest.mark.parametrize("case", CASES[:3], ids=lambda case: case.alert)
def test_a_rule_that_should_fire_and_does_not_fails_the_test(tmp_path, case):
    healthy = Case(case.alert, {name: Gauge(one.good, one.good) for name, one in case.series.items()}, case.minutes)
    assert promtool(tmp_path, [units(healthy, expected(case))]).returncode == 1


def test_each_rule_says_how_bad_it_is_and_where_to_read_on():
    for rule in RULES.values():
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"]["summary"].endswith(".")
        page, _, anchor = rule["annotations"]["runbook"].partition("#")
        text = (PROJECT / page).read_text() if (PROJECT / page).exists() else None
        assert anchor
        if page == "docs/monitoring.md":
            assert f"\n| `{rule['alert']}` |" in text
        elif text is not None:
            assert anchor in {heading.strip("`").lower() for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}
