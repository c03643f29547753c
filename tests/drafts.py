"""Drafts as their user meets them: written to a file, imported, and given the files they were made from."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from lastmile.contracts import Contract
from lastmile.contracts.casts import NumberFormat
from lastmile.ingestion.draft import Source, draft, open_file
from lastmile.ingestion.draft.check import contract_of
from lastmile.ingestion.readers import open_drop
from lastmile.ingestion.validation import Plan


def drafted(*paths: Path, name: str = "visits") -> Contract:
    return contract_of(text_of(*paths, name=name))


def text_of(*paths: Path, name: str = "visits") -> str:
    return draft([open_file(path) for path in paths], name)


def of_sources(sources: Sequence[Source], name: str = "visits") -> Contract:
    return contract_of(draft(sources, name))


def loaded(contract: Contract, *paths: Path) -> tuple[int, int, int]:
    """Rows that load, rows that are quarantined for what they say, and records that never were rows."""
    good = bad = broken = 0
    for path in paths:
        reader = open_drop(path, path.name, contract)
        for batch in reader.batches():
            judged = Plan(contract, reader.header, NumberFormat.of(reader.format)).validate(batch)
            good += judged.valid.height
            broken += len(batch.broken) + len(batch.faulty_lines)
            bad += judged.bad.height - len(batch.broken) - len(batch.faulty_lines)
    return good, bad, broken


def columns_of(contract: Contract) -> dict[str, str]:
    """The kind of each column, in words."""
    return {name: kind.name for name, kind in contract.kinds.items()}


def is_clean(text: str) -> bool:
    """Whether ruff finds nothing in a file with this text, and would write it so."""
    ruff = Path(sys.executable).with_name("ruff")
    for command in (["check", "--quiet", "-"], ["format", "--check", "--quiet", "-"]):
        done = subprocess.run([ruff, *command], input=text, text=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr + text
    return True
