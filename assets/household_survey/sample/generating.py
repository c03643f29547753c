"""Writes a sample survey by survey, so that neither memory nor the disk holds more than one at a time needs."""

import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from assets.household_survey.sample.faults import FAULTS, UNIQUE
from assets.household_survey.sample.households import parts, tables
from assets.household_survey.sample.shape import TABLES
from assets.household_survey.sample.surveys import Survey, plan_surveys
from assets.household_survey.sample.truth import HouseholdTruth, levels
from lastmile.sampling.dirt import BAD, Dirt, soil
from lastmile.sampling.formats import OTHERS, PLAIN, Format, write
from lastmile.sampling.truth import Drop


def generate(
    to: Path,
    households: int,
    seed: int = 7,
    years: Sequence[int] = range(2019, 2024),
    dirt: Dirt | None = None,
    surveys: int | None = None,
    done: Callable[[int, list[Drop]], None] = lambda households, drops: None,
) -> HouseholdTruth:
    """Write the drops of a sample as `<to>/<dataset>/<year>/<survey>/<file>` and say what ingesting them must give.

    The same arguments give the same files. A survey has about 100 to 1,000 households, unless `surveys` says how many.
    `done` is called after each survey with its number of households and its drops, and may move the files away.

    Raises ValueError for sizes or years that make no sample.
    """
    dirt = Dirt() if dirt is None else dirt
    truth = HouseholdTruth(seed, households=households)
    for survey in plan_surveys(households, seed, years, surveys, dirt.wrong_factor):
        done(survey.households, _add_survey(truth, survey, to, dirt))
    return truth


def _add_survey(truth: HouseholdTruth, survey: Survey, to: Path, dirt: Dirt) -> list[Drop]:
    """Write the drops of one survey under `to`, add them to the truth, return them. An empty table has no file."""
    files = [_File.of(survey, number, table, to, dirt) for number, table in enumerate(TABLES)]
    for part in parts(survey):
        drawn = tables(survey, part)
        for number, file in enumerate(files):
            clean = file.append(drawn[file.table], np.random.default_rng([survey.seed, 4, survey.index, number, part]))
            if file.table == "hhinfo" and survey.factor == survey.true_factor:
                truth.levels += levels(drawn[file.table].filter(clean))
    drops = [drop for file in files if file.read for drop in file.drops()]
    truth.drops += drops
    truth.wrong_factor += [survey.id_form] * (survey.factor != survey.true_factor)
    return drops


@dataclass
class _File:
    """One table of a survey on its way to disk."""

    survey: Survey
    table: str
    folder: Path
    form: Format
    dirt: Dirt
    has_note: bool
    is_repeated: bool
    read: int = 0
    placed: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, survey: Survey, number: int, table: str, to: Path, dirt: Dirt) -> "_File":
        """The kind of file is drawn for each; one that is written in several parts is always plain."""
        rng = np.random.default_rng([survey.seed, 5, survey.index, number])
        other, note, repeated = rng.random(3) < (dirt.other_formats, dirt.unknown_columns, dirt.repeated_drops)
        form = OTHERS[rng.integers(len(OTHERS))] if other and len(parts(survey)) == 1 else PLAIN
        return cls(
            survey, table, to / table / str(survey.year) / survey.id_form, form, dirt, bool(note), bool(repeated)
        )

    @property
    def path(self) -> Path:
        return self.folder / f"{self.table}{self.form.suffix}"

    def append(self, frame: pl.DataFrame, rng: np.random.Generator) -> pl.Series:
        """Write a part of the table with its faults; returns which of its rows are good."""
        if self.has_note:
            frame = frame.with_columns(interviewer_note=pl.lit("vérifié au téléphone"))
        soiled = soil(frame, FAULTS[self.table], self.dirt, rng, self.form.has_separators, unique=self.table in UNIQUE)
        if frame.height:
            write(soiled.frame, soiled.ragged.tolist(), self.path, self.form, append=self.read > 0)
        self.read += soiled.frame.height
        self.placed += soiled.placed
        return soiled.clean

    def drops(self) -> list[Drop]:
        """The file, and its copy under another name if it was sent twice."""
        quarantined = sum(self.placed[kind] for kind in BAD)
        duplicate = self.placed["repeated_rows"]
        placed = dict(self.placed) | ({"unknown_columns": 1} if self.has_note else {})
        file = self._drop(
            self.path,
            "loaded",
            read=self.read,
            loaded=self.read - quarantined - duplicate,
            quarantined=quarantined,
            duplicate=duplicate,
            dirt=placed | ({"other_formats": 1} if self.form is not PLAIN else {}),
        )
        if not self.is_repeated:
            return [file]
        copy = self.folder / f"resent_{self.path.name}"
        shutil.copyfile(self.path, copy)
        return [file, self._drop(copy, "duplicate", dirt={"repeated_drops": 1})]

    def _drop(self, path: Path, state: str, **counts: Any) -> Drop:
        key = path.relative_to(self.folder.parents[2]).as_posix()
        return Drop(key, self.table, str(self.survey.year), self.survey.id_form, state, **counts)
