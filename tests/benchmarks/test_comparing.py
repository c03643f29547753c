"""Contenders in turn."""

import os
import sys
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.bench import row
from benchmarks.comparing import PEERS, Contender, Tally, interleaved, ratio
from benchmarks.measuring import Cost
from benchmarks.site import Site

WORK = f"import sys; sys.path.insert(0, {str(PEERS)!r}); from timing import work\n"


def test_contenders_take_turns_and_one_that_failed_is_left_out(tmp_path: Path) -> None:
    site, turns = Site(tmp_path, "", "", os.getpid()), []

    def contender(name: str, body: str) -> Contender:
        return Contender(name, [sys.executable, "-c", WORK + body], lambda: turns.append(name))

    works, fails = contender("works", "with work(): pass"), contender("fails", "raise ValueError('no driver')")
    tallies = interleaved([works, fails], 2, site, Console(quiet=True))
    assert turns == ["works", "fails", "works"]
    assert len(tallies["works"].costs) == 2
    assert row("fails", tallies["fails"], tallies["works"]) == {
        "what": "fails",
        "note": "failed: ValueError: no driver",
    }


def test_a_ratio_is_the_median_of_the_ratios_of_the_rounds() -> None:
    def tally(*seconds: float) -> Tally:
        return Tally([Cost(each, 1, 1, 1, 1) for each in seconds])

    assert ratio(tally(2, 30, 4), tally(1, 10, 8)) == pytest.approx(2)
