"""What peers need, and what becomes of one that cannot have it."""

from pathlib import Path

import pytest

from benchmarks import environments
from benchmarks.comparing import PEERS
from benchmarks.measuring import Failed
from benchmarks.sections.peers import rules_of_survey
from benchmarks.survey import SURVEY

SCRIPTS = sorted(script for script in PEERS.glob("*.py") if script.stem != "timing")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_every_peer_declares_what_it_needs(script: Path) -> None:
    assert environments.declared(script)


def test_a_peer_that_cannot_be_installed_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environments, "FOLDER", tmp_path)
    script = tmp_path / "peer.py"
    script.write_text(f'# /// script\n# dependencies = ["nothing @ {(tmp_path / "nothing.whl").as_uri()}"]\n# ///\n')
    for _ in range(2):
        with pytest.raises(Failed, match="cannot be installed"):
            environments.python_for(script)


def test_validators_are_given_every_rule_of_the_survey() -> None:
    rules = rules_of_survey()
    assert list(rules) == list(SURVEY.columns)
    assert rules["household"] == {"type": "String", "required": True}
    assert rules["members"] == {"type": "Int64", "required": False, "at_least": 1, "at_most": 60}
    assert rules["visited_on"] == {"type": "Date", "required": False, "at_least": "2000-01-01"}
