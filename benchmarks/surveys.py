"""The surveys that one run of the benchmarks loads, each made once, when first requested."""

from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from benchmarks.survey import write


@dataclass(frozen=True)
class Survey:
    """`file` has `rows` rows, `bad` of which break a rule; `clean` has the others."""

    file: Path
    clean: Path
    rows: int
    bad: int

    @property
    def good(self) -> int:
        return self.rows - self.bad


@dataclass
class Surveys:
    folder: Path
    console: Console
    _made: dict[tuple[int, float], Survey] = field(default_factory=dict)

    def of(self, rows: int, bad: float = 0.01) -> Survey:
        if (rows, bad) not in self._made:
            with self.console.status(f"making a survey of {rows:,} rows, {bad:.0%} of them bad"):
                file, clean = (self.folder / f"{name}-{rows}-{bad}.csv" for name in ("survey", "clean"))
                self._made[rows, bad] = Survey(file, clean, rows, write(rows, bad, file, clean))
        return self._made[rows, bad]

    def forget(self, survey: Survey) -> None:
        """Free the disk of one that is not requested again."""
        self._made = {requested: made for requested, made in self._made.items() if made != survey}
        survey.file.unlink()
        survey.clean.unlink()
