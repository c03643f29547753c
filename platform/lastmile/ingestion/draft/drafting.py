"""From sources to a first contract: one pass to see all values, one to try what was made of them on every row."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import polars as pl

from lastmile.contracts.names import normal_name
from lastmile.errors import UserError
from lastmile.ingestion.batch import Refused
from lastmile.ingestion.draft import names
from lastmile.ingestion.draft.check import Findings, check, without_misfits
from lastmile.ingestion.draft.column import Column, column
from lastmile.ingestion.draft.files import distinct, of_names
from lastmile.ingestion.draft.keys import PARTITION, KeySample
from lastmile.ingestion.draft.partition import Cut, cut
from lastmile.ingestion.draft.profile import Profile, Profiles, shown
from lastmile.ingestion.draft.proposal import Draft
from lastmile.ingestion.draft.render import render
from lastmile.ingestion.draft.source import Source

#: Tries to make all rows fit; each gives something up.
TRIES = 8
#: Rows below which only a column that is called an identifier, or is the first, is a key by itself.
FEW_ROWS = 100
#: Text of more characters tells no rows apart that a shorter one does not.
LONGEST_KEY = 64


def unreported(_: int) -> None:
    """For callers that show no progress."""


def draft(sources: Sequence[Source], name: str, done: Callable[[int], None] = unreported) -> str:
    """The text of a Python file that declares a contract under which all rows of the sources load.

    `done` is called with the number of records after each batch; every record is read twice. Raises UserError where the
    sources are not of one table, or one cannot be read.
    """
    columns = _by_source(sources)
    seen = _see(sources, columns, done)
    drafted = _proposed(sources, name, columns, seen)
    return render(_checked(drafted, sources, seen, done))


@dataclass
class Seen:
    """What the records of all sources show."""

    profiles: dict[str, Profile]
    formats: list[dict[str, str | int]] = field(default_factory=list)
    sample: KeySample = field(default_factory=KeySample)
    rows: int = 0
    broken: int = 0
    #: What is wrong with the first cell that no table can hold.
    fault: str = ""


def _by_source(sources: Sequence[Source]) -> list[dict[str, str]]:
    """For each source the column of each of its headers; headers that differ in case and blanks are of one column.

    Raises UserError where a source has less than half of its columns in common with the others.
    """
    found: dict[str, str] = {}
    by_source: list[dict[str, str]] = []
    identify = _identity(sources)
    # No column may be called as the header of another one, or the intake could not tell them apart.
    owner = {normal_name(header): identify(header) for source in sources for header in source.header}
    for source in sources:
        own: dict[str, str] = {}
        for header in distinct(source.header):
            key = identify(header)
            if key not in found:
                found[key] = names.distinct_name(header, partial(_is_free, owner, key))
                owner[found[key]] = key
            own[header] = found[key]
        _expect_alike(source, own, by_source, sources)
        by_source.append(own)
    return by_source


def _is_free(owner: Mapping[str, str], key: str, name: str) -> bool:
    return owner.get(name, key) == key


def _identity(sources: Sequence[Source]) -> Callable[[str], str]:
    """What headers of one column have in common: all but case and blanks, where no source has two that differ so."""

    def compact(header: str) -> str:
        return normal_name(header).replace("_", "")

    times = [Counter({compact(header): 0 for header in source.header}) for source in sources]
    for counter, source in zip(times, sources, strict=True):
        counter.update(map(compact, source.header))
    apart = {name for counter in times for name, count in counter.items() if count > 1}
    return lambda header: normal_name(header) if compact(header) in apart else compact(header)


def _expect_alike(
    source: Source, own: Mapping[str, str], before: Sequence[Mapping[str, str]], sources: Sequence[Source]
) -> None:
    if not before:
        return
    first = set(before[0].values())
    shared = first & set(own.values())
    if 2 * len(shared) < min(len(first), len(own)):
        raise UserError(
            f"expected files of one table, found {sources[0].name} with columns {shown(list(before[0]))} and "
            f"{source.name} with {shown(list(own))}. Draft a contract for each table by itself."
        )


def _see(sources: Sequence[Source], columns: Sequence[Mapping[str, str]], done: Callable[[int], None]) -> Seen:
    seen = Seen({column: Profile() for own in columns for column in own.values()})
    waiting = Profiles(seen.profiles)
    partitions = cut([source.name for source in sources], []).keys or [""] * len(sources)
    for source, own, partition in zip(sources, columns, partitions, strict=True):
        varied: set[str] = set()
        for frame in _frames(source, own, seen):
            waiting.add(frame)
            seen.sample.add(frame.with_columns(pl.lit(partition).alias(PARTITION)))
            varied |= {name for name in frame.columns if name not in varied and frame[name].n_unique() > 1}
            done(frame.height)
        for name in varied:
            seen.profiles[name].varied += 1
    waiting.flush()
    if not seen.rows:
        found = f"{seen.broken:,} records, all broken{seen.fault}" if seen.broken else "a header only"
        raise UserError(f"{sources[0].name}: expected rows to draft from, found {found}. Give a file with rows.")
    return seen


def _frames(source: Source, own: Mapping[str, str], seen: Seen) -> Iterator[pl.DataFrame]:
    try:
        reader = source.open(of_names(source.header, source.form))
        for batch in reader.batches():
            sound = batch.frame.filter(~batch.lines.is_in(list(batch.faulty_lines))) if batch.faults else batch.frame
            seen.rows += sound.height
            if batch.faults and not seen.fault:
                one = batch.faults[0]
                seen.fault = f", such as {one.column}: expected {one.expected}, found {one.found}"
            seen.broken += batch.records - sound.height
            yield pl.DataFrame([sound[header].alias(column) for header, column in own.items()])
    except Refused as error:
        raise UserError(f"{source.name}: {error}") from None
    seen.formats.append(reader.format)


def _proposed(sources: Sequence[Source], name: str, columns: Sequence[Mapping[str, str]], seen: Seen) -> Draft:
    headers: dict[str, dict[str, None]] = {}
    for own in columns:
        for header, one in own.items():
            headers.setdefault(one, {})[header] = None
    present = Counter(one for own in columns for one in own.values())
    found = [
        column(one, list(headers[one]), profile, len(sources), present[one]) for one, profile in seen.profiles.items()
    ]
    found = _with_one_decimal_sign(found)
    if sources[0].timed:
        found = [replace(one, required=one.required or (one.full and one.base == "datetime")) for one in found]
    left_out = [header for source in sources for header in source.left_out]
    proposed = Draft(name, [source.name for source in sources], found, _cut(sources, found), sources[0].form)
    return proposed.saying(
        f"partition: {proposed.cut.why}",
        *_forms(seen.formats, sources),
        *([f"headers {shown(list(dict.fromkeys(left_out)))} cannot be distinguished: rescued"] if left_out else []),
        *_patterns(found),
    )


def _cut(sources: Sequence[Source], columns: Sequence[Column]) -> Cut:
    unit = sources[0].unit
    if unit:
        return replace(cut([], columns), unit=unit, column=None)
    return cut([source.name for source in sources], columns)


def _with_one_decimal_sign(columns: Sequence[Column]) -> list[Column]:
    """A dataset writes its numbers in one way; a column that is the odd one out is text."""
    decided = [one.kind.numbers for one in columns if one.kind and not one.or_kind]
    signs = Counter(numbers.decimal for numbers in decided if numbers.thousands)
    return [_with_sign(one, signs.most_common(1)[0][0]) for one in columns] if signs else list(columns)


def _with_sign(one: Column, sign: str) -> Column:
    if one.kind is None or one.base != "number" or one.kind.base == "whole" or one.kind.numbers.decimal == sign:
        return one
    if one.or_kind and one.or_kind.numbers.decimal == sign:
        return replace(one, kind=one.or_kind)
    return one.as_text(f"numbers with another decimal sign than {sign!r}")


def _forms(formats: Sequence[Mapping[str, str | int]], sources: Sequence[Source]) -> Iterator[str]:
    """What was assumed of the files."""
    said = []
    for name in ("format", "compression", "delimiter", "quote", "encoding", "preamble_lines", "sheet"):
        values = Counter(str(found[name]) for found in formats if found.get(name, 0) not in (0, "none"))
        listed = [f"{value!r}" + f" ({times} files)" * (len(values) > 1) for value, times in values.items()]
        said += [f"{name.replace('_', ' ')} {', '.join(listed)}"] if listed else []
    yield f"found and assumed: {'; '.join(said)}"
    if sources[0].form.headerless:
        yield "no header was found, so the columns are named by their place"
    left_out = {str(found["sheets_left_out"]) for found in formats if "sheets_left_out" in found}
    if left_out:
        yield f"other sheets of the workbook are left out: {', '.join(sorted(left_out))}"


def _patterns(columns: Sequence[Column]) -> Iterator[str]:
    """Columns that differ by a number in their name, which one column by pattern may stand for."""
    groups: dict[str, list[str]] = {}
    for one in columns:
        if re.search(r"\d", one.name):
            groups.setdefault(re.sub(r"\d+", "*", one.name), []).append(one.name)
    for pattern, members in groups.items():
        if len(members) > 2 and not pattern.startswith("column_"):
            yield f"{len(members)} columns are called {pattern}: one field with regex=True can stand for them"


def _checked(drafted: Draft, sources: Sequence[Source], seen: Seen, done: Callable[[int], None]) -> Draft:
    candidates = _candidates(drafted, sources, seen)
    for _ in range(TRIES):
        found = check(drafted, sources, candidates, done)
        if not found.misfits:
            return _with_key(drafted, found, candidates).saying(_result(found, len(sources)))
        _expect_no_nul(drafted, found)
        drafted = replace(drafted, columns=without_misfits(drafted.columns, found))
    raise UserError(f"no draft was found under which all rows load: {dict(found.examples)}. Write it by hand.")


def _expect_no_nul(drafted: Draft, found: Findings) -> None:
    """Raises UserError where a cell has a NUL character: no column, not even of text, can hold it."""
    with_nul = {column for column, rule in found.misfits if rule == "nul"}
    headers = [one.headers[0] for one in drafted.columns if one.name in with_nul]
    if headers:
        raise UserError(
            f"cells of {shown(headers)} hold NUL characters, which the warehouse cannot. Write the files as text."
        )


def _candidates(drafted: Draft, sources: Sequence[Source], seen: Seen) -> list[tuple[str, ...]]:
    """Sets of columns that may be the key, those of identifiers first; only the one that a source names, if it does."""
    if known := sources[0].key:
        named = {header: one.name for one in drafted.columns for header in one.headers}
        return [tuple(named[header] for header in known)] if set(known) <= set(named) else []
    able = [one for one in drafted.columns if _may_be_key(one, seen.profiles[one.name])]
    able.sort(key=lambda one: not names.is_identifier(one.headers[0]))
    found = seen.sample.candidates([one.name for one in able])
    likely = {one.name for one in able if names.is_identifier(one.headers[0])} | {drafted.columns[0].name}
    return [columns for columns in found if len(columns) > 1 or seen.rows >= FEW_ROWS or columns[0] in likely]


def _may_be_key(one: Column, profile: Profile) -> bool:
    is_short = one.base in ("whole", "date", "datetime", "codes") or profile.longest <= LONGEST_KEY
    is_measure = one.unit is not None or one.bounds != (None, None) or one.base in ("number", "list", "json", "yes_no")
    return one.full and is_short and not is_measure


def _with_key(drafted: Draft, found: Findings, candidates: Sequence[tuple[str, ...]]) -> Draft:
    if not found.key:
        return drafted.saying("no key: no one, two or three columns tell all rows apart, so every row is kept")
    columns = [replace(one, required=one.required or one.name in found.key) for one in drafted.columns]
    others = [" + ".join(names) for names in candidates if names != found.key and len(names) == len(found.key)]
    why = f"{' + '.join(found.key)} tells all {found.rows - found.broken:,} rows apart"
    also = f"; so may {', '.join(others)}" if others else ""
    return replace(drafted, key=found.key, columns=columns).saying(f"key: {why}{also}")


def _result(found: Findings, files: int) -> str:
    broken = f", {found.broken:,} records are broken and would be quarantined" if found.broken else ""
    return f"tried on {files} file{'s' if files > 1 else ''}: {found.rows - found.broken:,} rows load{broken}"
