"""The few histories that `make test` plays: between them happens all that happens in the many of `make test-all`."""

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from typing import Any

from faults.history import Change, History, Round, Shift, history


def few(seeds: Sequence[int], times: int) -> list[int]:
    """Seeds of so many histories that whatever happens in any of `seeds` happens in `times` of them, if in so many.

    Greedy set cover, within a logarithmic factor of the fewest (Chvatal 1979).
    """
    happens = {seed: set(happenings(history(seed))) for seed in seeds}
    everywhere = Counter(each for those in happens.values() for each in those)
    wanted = Counter({each: min(times, found) for each, found in everywhere.items()})
    chosen = []
    while wanted:
        best = max(happens, key=lambda seed: len(wanted.keys() & happens[seed]))
        wanted -= Counter(happens.pop(best))
        chosen.append(best)
    return sorted(chosen)


def happenings(one: History) -> Iterator[Hashable]:
    """Its shape, what its contract says, what is done to objects, which faults strike where."""
    yield one.is_orderly
    yield "large from", one.large
    yield from one.contract
    for each in one.rounds:
        yield each.is_mended, each.releases, each.redo
        yield from (_deed(change) for change in each.changes)
        yield from (fault[:2] if fault[0] in ("die at", "stop at") else fault[:1] for fault in _faults(each) if fault)


def _deed(change: Change) -> Hashable:
    return change.how.split()[0], change.late, change.content.kind if change.content else None


def _faults(one: Round) -> Iterator[tuple[Any, ...]]:
    shifts: list[Shift] = [*one.shifts, *one.shifts_of_release, *one.shifts_of_redo]
    yield from (fault for shift in shifts for _, fault in shift.workers)
