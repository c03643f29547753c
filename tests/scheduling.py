"""In which order the files of tests are handed to the workers, and which of them go to one worker together.

Workers fetch whole files from one queue: tests of a file share what takes seconds to make, or follow one another on one
platform. Single tests, as pytest-xdist's worksteal moves them, would make it again on each worker.
"""

import pytest
from xdist.scheduler import LoadFileScheduling

RUNNING = "tests/end_to_end/running/"
#: What starts whole platforms comes first, the many short files last: so all workers end at about the same time.
LONGEST_FIRST = (
    *(
        f"{RUNNING}test_{name}.py"
        for name in ("other_tools", "web_ui", "idle", "one_run", "runs_over_http", "kills", "the_end")
    ),
    "tests/end_to_end/",
    "tests/dbt/",
    "tests/faults/",
    "tests/orchestration/",
)
#: The tests of each of these use one platform, or one warehouse in which every dbt model was built once.
TOGETHER = (RUNNING, "tests/dbt/")


class FilesTogether(LoadFileScheduling):
    """Hands out file by file, but a folder of TOGETHER as a whole."""

    def _split_scope(self, nodeid: str) -> str:
        folder = next((folder for folder in TOGETHER if nodeid.startswith(folder)), None)
        return folder or str(super()._split_scope(nodeid))


def longest_first(item: pytest.Item) -> int:
    """Place of the item's folder in LONGEST_FIRST, or after them all."""
    places = (place for place, folder in enumerate(LONGEST_FIRST) if item.nodeid.startswith(folder))
    return next(places, len(LONGEST_FIRST))
