"""A life of the platform counts every run that its own processes start."""

import json

import psutil

from lastmile.embedded.session import session


def test_runs_count_from_before_the_first_process_starts(settings):
    with session(settings, None) as running:
        started = json.loads((settings.home / "processes.json").read_text())
        first = min(psutil.Process(one["pid"]).create_time() for one in started)
        assert running.started_at < first + 2  # psutil knows the time of boot to the second only
