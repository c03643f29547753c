"""Samples are repeatable, of any size, and not to be seen through: what the generator promises besides the rows."""

import json
import os
import subprocess
import sys
from hashlib import sha256

import pytest
from checkout import PROJECT
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.household_survey.sample import generate
from assets.household_survey.sample.households import PART, parts, tables
from assets.household_survey.sample.surveys import PROJECTS, plan_surveys
from lastmile.sampling import Dirt


def digests(folder):
    return {file.relative_to(folder): sha256(file.read_bytes()).hexdigest() for file in folder.rglob("*.*")}


def test_the_same_seed_gives_the_same_bytes_and_truth(tmp_path):
    first, again = (generate(tmp_path / name, 600, seed=4, dirt=Dirt.heavy()) for name in ("first", "again"))
    assert digests(tmp_path / "first") == digests(tmp_path / "again")
    assert first == again


def test_another_seed_gives_other_surveys(tmp_path):
    first, other = (generate(tmp_path / str(seed), 200, seed=seed) for seed in (1, 2))
    assert {drop.source for drop in first.drops}.isdisjoint(drop.source for drop in other.drops)


def test_a_survey_of_many_parts_has_all_its_households_once(tmp_path):
    (survey,) = plan_surveys(2 * PART + 10, 1, [2020], surveys=1)
    ids = [hhid for part in parts(survey) for hhid in tables(survey, part)["hhinfo"]["hhid"]]
    assert len(set(ids)) == len(ids) == 2 * PART + 10


def test_a_survey_of_many_parts_is_one_file_with_one_header(tmp_path):
    truth = generate(tmp_path, PART + 10, years=[2020], surveys=1, dirt=Dirt.none())
    (drop,) = [drop for drop in truth.drops if drop.dataset == "hhinfo"]
    lines = (tmp_path / drop.key).read_text(encoding="utf-8").splitlines()
    assert len(lines) == PART + 10 + 1
    assert [place for place, line in enumerate(lines) if line.startswith("hhid,")] == [0]


@settings(max_examples=50)
@given(st.integers(1, 2_000_000), st.integers(0, 10**6), st.integers(2010, 2030), st.integers(1, 6))
def test_surveys_of_any_plan_have_households_and_names_of_their_own(households, seed, year, number_of_years):
    planned = plan_surveys(households, seed, range(year, year + number_of_years))
    assert sum(survey.households for survey in planned) == households
    assert min(survey.households for survey in planned) >= 1
    assert len({survey.id_form for survey in planned}) == len(planned)
    if households > 20_000:
        assert all(100 <= survey.households <= 1000 for survey in planned)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"households": 0}, "at least 1 household; 0 were"),
        ({"households": -5}, "at least 1 household; -5 were"),
        ({"years": []}, "one or more years"),
        ({"years": [20]}, "years of four digits"),
        ({"surveys": 101}, "between 1 and 100"),
        ({"households": 10**6, "surveys": PROJECTS + 1}, f"between 1 and {PROJECTS}"),
        ({"seed": -1}, "seed is a whole number from 0"),
    ],
)
def test_sizes_that_make_no_sample_are_reported(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        generate(tmp_path / "sample", **{"households": 100, **arguments})
    assert not (tmp_path / "sample").exists()


def test_the_truth_is_kept_as_json_that_adds_up(tmp_path):
    truth = generate(tmp_path / "sample", 500, seed=1)
    truth.save(tmp_path / "next" / "truth.json")
    kept = json.loads((tmp_path / "next" / "truth.json").read_text(encoding="utf-8"))
    for name, count in kept["rows"].items():
        assert count == sum(dataset[name] for dataset in kept["datasets"].values())
        assert count == sum(drop[name] for drop in kept["drops"])
    assert sum(kept["states"].values()) == len(kept["drops"])


MEMORY = """
import resource, sys, tempfile
from pathlib import Path
from assets.household_survey.sample import generate
with tempfile.TemporaryDirectory() as folder:
    def remove(size, drops):
        for drop in drops:
            Path(folder, drop.key).unlink()
    generate(Path(folder), int(sys.argv[1]), done=remove)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def peak_memory(households):
    """Megabytes that a process of its own takes at most."""
    command = [sys.executable, "-c", MEMORY, str(households)]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT / "platform")}
    return int(subprocess.run(command, check=True, capture_output=True, env=environment).stdout)


def test_ten_times_the_households_take_no_more_memory():
    small, large = peak_memory(20_000), peak_memory(200_000)
    assert large < small + 60, f"{small} MB for 20,000 households, {large} MB for 200,000"
