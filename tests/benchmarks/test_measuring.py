"""What a program's cost is told to be."""

import sys
from pathlib import Path

import pytest

from benchmarks.comparing import PEERS
from benchmarks.measuring import Failed, measured

WORK = f"import sys, time; sys.path.insert(0, {str(PEERS)!r}); from timing import work\n"


def test_seconds_and_cpu_are_those_of_the_work_and_memory_is_of_children_too(tmp_path: Path) -> None:
    child = "import time; block = b'1' * 200_000_000; time.sleep(0.5)"
    script = tmp_path / "script.py"
    script.write_text(
        WORK + "import subprocess\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass\n"
        f"with work() as said:\n    said['rows'] = 3\n    subprocess.run([sys.executable, '-c', {child!r}])\n"
    )
    cost = measured([sys.executable, script])
    assert 0.5 < cost.seconds < 5
    assert 0.3 < cost.start_cpu < 3
    assert cost.peak_mb > 190
    assert cost.said["rows"] == 3


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("raise ValueError('no such table')", "ValueError: no such table"),
        ("time.sleep(30)", "not done after 1 seconds"),
        ("import os; os.kill(os.getpid(), 15)", "ended by SIGTERM"),
    ],
)
def test_a_program_that_does_not_do_its_work_says_why(tmp_path: Path, body: str, message: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(f"{WORK}{body}\n")
    with pytest.raises(Failed, match=message):
        measured([sys.executable, script], patience=1)
