"""One request from its body to its answer."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import anyio.to_thread
from fastapi import HTTPException
from psycopg import DataError
from psycopg.errors import UndefinedTable

from lastmile.access.principal import Principal
from lastmile.errors import Unreachable, UserError
from lastmile.learning.experiments.experiment import Experiment
from lastmile.learning.features.online import newest
from lastmile.learning.registry.answers import Answer
from lastmile.learning.registry.artifacts import ArtifactRefused
from lastmile.serving.predictions.answering import answers, in_order
from lastmile.serving.predictions.batching import Found
from lastmile.serving.predictions.inputs import Unfit
from lastmile.serving.predictions.loaded import Answering, Loaded, Served
from lastmile.serving.predictions.log import Log
from lastmile.serving.predictions.reasons import named, reasons
from lastmile.serving.predictions.schemas import Body, Row
from lastmile.serving.predictions.trial import FirstVersions, Subject, entity_of, exposure, subject, variant
from lastmile.serving.problems import Unavailable
from lastmile.serving.state import Serving

_CHAMPION = "champion"


@dataclass(frozen=True)
class Line:
    """A row of a request: its inputs, what it is about, and its target where that is known."""

    row: Row | None
    about: Mapping[str, Any]
    measured: Any = None


@dataclass(frozen=True)
class Answered:
    """What is sent, and how many rows each version answered."""

    body: dict[str, Any]
    counts: Mapping[str, int]


class Predicting:
    """Answers the requests of one process."""

    def __init__(self, here: Serving, loaded: Loaded, log: Log) -> None:
        self._here, self.loaded, self._log = here, loaded, log
        self._first = FirstVersions(here)

    async def answer(self, name: str, body: Body, principal: Principal, request: str, began: float) -> Answered:
        """Raises HTTPException, Unfit for rows that the schema refuses, Unreachable where what it needs is away."""
        served = self._served(name)
        lines = await self._lines(served, body)
        chosen, instead_of = await self._chosen(served, body.version)
        rows = [line for line in lines if line.row is not None]
        experiment = served.experiment if body.experiment and body.version == _CHAMPION else None
        note = None
        if experiment and served.without:
            note = f"not within the experiment {experiment.name}: {served.without}"
            experiment = None
        parts = await self._parts(served, chosen, experiment, rows)
        made: dict[int, dict[str, Any]] = {}
        for part in parts:
            made.update(await self._answered(part, body.reasons, self._hidden(principal, body)))
        if body.reasons and not all(named(part.answering) for part in parts):
            versions = ", ".join(sorted({part.answering.version for part in parts if not named(part.answering)}))
            note = f"no reasons: version {versions} was exported before typical values were kept; train the model again"
        predictions = [made.get(id(line)) or {"problem": _UNKNOWN} for line in lines]
        for line, one in zip(lines, predictions, strict=True):
            if line.measured is not None:
                one["measured"] = line.measured
        self._keep(served, experiment, parts, made, (principal.name, request, began))
        entry = served.entry
        answer = {
            "model": name,
            "version": chosen.version,
            "instead_of": instead_of,
            "target": entry.target,
            "unit": entry.unit,
            "question": entry.question,
            "experiment": experiment.name if experiment else None,
            "note": note,
            "predictions": predictions,
        }
        return Answered(answer, {part.answering.version: len(part.lines) for part in parts})

    def _served(self, name: str) -> Served:
        served = self.loaded.models.get(name)
        if served is None:
            if not self.loaded.known:
                raise Unavailable("what is declared is not known yet: the database does not answer; try again")
            known = ", ".join(sorted(self.loaded.models)) or "none"
            raise HTTPException(404, f"no model {name[:100]!r} is declared; there are: {known}")
        return served

    async def _chosen(self, served: Served, version: str) -> tuple[Answering, str | None]:
        """The version requested; and why it is not the champion, where that was."""
        name = served.entry.name
        if version == _CHAMPION:
            if served.champion:
                return served.champion, served.champion.export.instead_of
            if served.refused is None:
                raise Unavailable(f"the champion of {name} is not loaded yet: the store does not answer; try again")
            raise HTTPException(
                409, f"nothing answers for {name}: {served.refused}. Train it, or promote a version that has an export."
            )
        if found := self.loaded.at_hand(name, version):
            return found, None
        try:
            return await anyio.to_thread.run_sync(self.loaded.version, name, version), None
        except ArtifactRefused as refused:
            raise HTTPException(409, f"{refused}. Request another version, or train the model again.") from None
        except Unreachable:
            raise
        except UserError as unknown:
            raise HTTPException(404, str(unknown)) from None

    async def _lines(self, served: Served, body: Body) -> list[Line]:
        if body.ids is not None:
            return await anyio.to_thread.run_sync(self._looked_up, served, body.ids)
        given: Sequence[Row] = [body.row] if body.row is not None else body.rows
        about = [body.entity] if body.row is not None else body.entities
        if about is not None and len(about) != len(given):
            raise Unfit([_fault("entities", f"one for each of the {len(given)} rows", f"{len(about)}")])
        features = served.schema.features
        known = {*features.entity, features.group, features.partition_column}
        for place, entity in enumerate(about or ()):
            if strangers := sorted({*(entity or {})} - known):
                expected = f"columns among {', '.join(sorted(known))}"
                raise Unfit([{"row": place, **_fault("entity", expected, ", ".join(strangers)[:200])}])
        rows = served.schema.rows(given)
        abouts: Sequence[Mapping[str, Any] | None] = about or [None] * len(rows)
        return [Line(row, entity or {}) for row, entity in zip(rows, abouts, strict=True)]

    def _looked_up(self, served: Served, ids: Sequence[Any]) -> list[Line]:
        features, key = served.schema.features, served.schema.features.key
        wanted = [_key(place, one, key) for place, one in enumerate(ids)]
        try:
            with self._here.reading() as connection:
                found = newest(connection, features, wanted)
        except UndefinedTable:
            return [Line(None, {}) for _ in ids]
        except DataError:
            raise Unfit([_fault("ids", f"values of the key's columns {', '.join(key)}", "others")]) from None
        names, target = [one.name for one in features.inputs], served.entry.target
        return [
            Line({name: row.get(name) for name in names}, row, row.get(target)) if row else Line(None, {})
            for row in found
        ]

    async def _parts(
        self, served: Served, chosen: Answering, experiment: Experiment | None, lines: Sequence[Line]
    ) -> list["Part"]:
        """The lines by the version that answers them, each with its numbers."""
        if not lines:
            return []
        if experiment is None:
            return [await _part(chosen, lines, [None] * len(lines))]
        subjects = [self._subject(served, experiment, line) for line in lines]
        units = [one.unit for one in subjects if one]
        logged: Mapping[str, str] | None = {}
        if experiment.share is not None and (new := self._first.unknown(experiment, units)):
            logged = await anyio.to_thread.run_sync(self._first.look_up, experiment, new)
        decided = iter(self._first.decide(experiment, units, logged))
        by_version: dict[str, list[int]] = {}
        for place, one in enumerate(subjects):
            by_version.setdefault(next(decided) if one else experiment.control, []).append(place)
        return [
            await _part(
                served.versions[version],
                [lines[place] for place in places],
                [subjects[place] for place in places],
                [served.versions[one] for one in experiment.treatments] if experiment.mode == "shadow" else [],
            )
            for version, places in by_version.items()
        ]

    def _subject(self, served: Served, experiment: Experiment, line: Line) -> Subject | None:
        """None for a row that is not of the experiment: what is measured already shows nothing of a prediction."""
        return None if line.measured is not None else subject(served.schema.features, experiment.unit, line.about)

    async def _answered(self, part: "Part", with_reasons: bool, hidden: frozenset[str]) -> dict[int, dict[str, Any]]:
        answering = part.answering
        made = answers(answering.entry, answering.export, part.numbers)
        if with_reasons and named(answering):
            rows = [line.row or {} for line in part.lines]
            for one, said in zip(made, await reasons(answering, rows, part.numbers, hidden), strict=True):
                one["reasons"] = said
        return {id(line): one for line, one in zip(part.lines, made, strict=True)}

    def _hidden(self, principal: Principal, body: Body) -> frozenset[str]:
        """Inputs whose values are not shown: personal ones that the request did not bring itself."""
        return frozenset() if body.ids is None or principal.may("personal") else self.loaded.personal

    def _keep(
        self,
        served: Served,
        experiment: Experiment | None,
        parts: Sequence["Part"],
        made: Mapping[int, dict[str, Any]],
        by: tuple[str, str, float],
    ) -> None:
        principal, request, began = by
        at, milliseconds = datetime.now(UTC), (time.perf_counter() - began) * 1e3
        answered, exposed = [], []
        for part in parts:
            version = part.answering.version
            for place, (line, about) in enumerate(zip(part.lines, part.subjects, strict=True)):
                one = made[id(line)]
                within = experiment if about else None
                if within and about:
                    one["variant"] = variant(within, version)
                    predicted = {name: numbers[place].tolist() for name, numbers in part.all_numbers.items()}
                    exposed.append((within, exposure(about, version, predicted)))
                output = {key: one[key] for key in ("level", "probabilities", "value") if key in one}
                entity = entity_of(served.schema.features, line.about) if line.about else None
                answered.append(
                    Answer(
                        at, served.entry.name, version, within.name if within else None, one.get("variant"), entity,
                        output, milliseconds, principal, request,
                    )
                )  # fmt: skip
        self._log.add(answered, exposed)


@dataclass(frozen=True)
class Part:
    """Lines that one version answers; `all_numbers` are those of each version that predicted them."""

    answering: Answering
    lines: Sequence[Line]
    subjects: Sequence[Subject | None]
    all_numbers: Mapping[str, Found]

    @property
    def numbers(self) -> Found:
        return self.all_numbers[self.answering.version]


async def _part(
    answering: Answering, lines: Sequence[Line], subjects: Sequence[Subject | None], others: Sequence[Answering] = ()
) -> Part:
    rows = [line.row or {} for line in lines]
    found = {one.version: in_order(one.entry, one.export, await one.batch.run(rows)) for one in (answering, *others)}
    return Part(answering, lines, subjects, found)


_UNKNOWN = "no such entity has features: check the id, or send a row of inputs"


def _key(place: int, given: Any, key: Sequence[str]) -> tuple[Any, ...]:
    """The values of the online key."""
    expected = f"the key's columns {', '.join(key)}"
    if isinstance(given, dict):
        if set(given) != set(key):
            raise Unfit([{"row": place, **_fault("ids", expected, ", ".join(sorted(given))[:200] or "none")}])
        return tuple(given[name] for name in key)
    if len(key) != 1:
        raise Unfit([{"row": place, **_fault("ids", f"an object of {expected}", "a single value")}])
    return (given,)


def _fault(name: str, expected: str, found: str) -> dict[str, Any]:
    return {"input": name, "expected": expected, "found": found}
