"""The short comparison with COPY, at a size that says nothing of speed."""

import json
from pathlib import Path

from benchmarks import quick


def test_the_short_comparison_writes_its_figures(tmp_path: Path) -> None:
    quick.main(rows=2_000, rounds=1, bad=0.1, to=tmp_path / "quick.json")
    figures = json.loads((tmp_path / "quick.json").read_text())
    assert figures["whole_job_vs_copy"] > 0
    assert figures["whole_job_vs_bare_copy"] > 0
    assert 50 < figures["peak_mb"] < 2_000
    assert (figures["rows"], figures["rounds"]) == (2_000, 1)
    assert figures["costs"]["the whole job"][0]["said"]["quarantined"] == figures["bad"] > 0
    assert figures["machine"]["postgres"].startswith("Postgres ")
