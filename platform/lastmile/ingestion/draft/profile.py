"""What all values of a column show, counted batch by batch in bounded memory.

Of each batch only the distinct values are looked at, each once. A kind of value is followed until too many values are
not of it, so that most columns are tried for one or two.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from lastmile.ingestion.draft.kinds import KINDS

#: Texts that stand for "no value" wherever they are met among values of another kind, in lower case.
NOTHING = {
    *("na", "n/a", "#n/a", "nan", "null", "none", "nil", "-", "--", "---", ".", "..", "?", "missing", "no_answer"),
    *("no answer", "not available", "not applicable", "unknown", "don't know", "dont know", "dk", "refused", "#null!"),
    *("#div/0!", "#value!", "#ref!", "#num!", "#name?", "n.a.", "n.d.", "nd", "s/d", "\\n", "-99", "-999", "-9999"),
}
#: Numbers that forms write for "no answer"; they count so in a column that has no other negative number.
SENTINELS = r"^-(?:9{1,4}|8{2,3}|7{2,3}|98|97)(?:\.0+)?$"
#: Distinct values kept of a column, and characters of each; beyond it only their number is known to be large.
DISTINCT, LENGTH = 2_000, 200
#: Distinct values that are not of a kind before it is given up; they are shown in the draft.
STRAYS = 40
#: What personal values look like, wherever they stand.
CONTENT = {
    "e-mail addresses": r"^[^@\s]+@[^@\s]+\.[A-Za-z]{2,}$",
    "phone numbers": r"^(?:\+|00)\d[\d ()/.-]{6,18}\d$|^\(?0\d{1,4}\)?[ /-]\d[\d -]{4,12}\d$",
    "positions": r"^-?\d{1,2}\.\d{3,}[ ,;]+-?\d{1,3}\.\d{3,}([ ,;]+-?[\d.]+){0,2}$",
    "addresses of computers": r"^(?:\d{1,3}\.){3}\d{1,3}$",
}
#: Rows counted together.
AT_ONCE = 25_000
_TOKEN = re.compile(r"[^\s,;|]{1,40}")
_MOST_TOKENS = 60


@dataclass
class Fit:
    """How far the values of a column are of one kind. `least` and `most` are of those that are, but for sentinels."""

    fitting: int = 0
    sentinels: Counter[str] = field(default_factory=Counter)
    strays: Counter[str] = field(default_factory=Counter)
    least: Any = None
    most: Any = None

    def add(self, values: pl.Series, counts: pl.Series, texts: pl.Series) -> None:
        misfit = values.is_null()
        self.strays.update(dict(zip(texts.filter(misfit), counts.filter(misfit), strict=True)))
        self.fitting += int(counts.filter(~misfit).sum())
        if values.dtype.is_numeric():
            sentinel = texts.str.contains(SENTINELS)
            self.sentinels.update(dict(zip(texts.filter(sentinel), counts.filter(sentinel), strict=True)))
            values = values.filter(~sentinel)
        found = values.drop_nulls()
        if len(found):
            self.least = found.min() if self.least is None else min(self.least, found.min())
            self.most = found.max() if self.most is None else max(self.most, found.max())

    @property
    def may_hold(self) -> bool:
        """Whether most values are of the kind, and those that are not are few."""
        unknown = sum(self.unknown.values())
        return len(self.strays) <= STRAYS and (not unknown or unknown <= self.fitting)

    @property
    def unknown(self) -> dict[str, int]:
        """Those of the strays that do not stand for "no value"."""
        return {text: times for text, times in self.strays.items() if text.lower() not in NOTHING}


@dataclass
class Profile:
    """One column. `values` counts the distinct values as they stand; None where there are too many.

    `varied` is the number of sources in which there are several of them.
    """

    rows: int = 0
    blank: int = 0
    longest: int = 0
    varied: int = 0
    values: Counter[str] | None = field(default_factory=Counter)
    fits: dict[str, Fit] = field(default_factory=lambda: {name: Fit() for name in KINDS})
    nothing: Counter[str] = field(default_factory=Counter)
    content: Counter[str] = field(default_factory=Counter)
    tokens: Counter[str] | None = field(default_factory=Counter)
    several: int = 0

    @property
    def filled(self) -> int:
        return self.rows - self.blank

    def add(self, column: pl.Series) -> None:
        """Count the cells of a batch, as text."""
        cells = pl.DataFrame({"text": column.str.strip_chars()})
        counted = cells.filter(pl.col("text") != "").group_by("text").len("times")
        texts, times = counted["text"], counted["times"]
        filled = int(times.sum())
        self.rows += len(column)
        self.blank += len(column) - filled
        if not filled:
            return
        self.longest = max(self.longest, int(texts.str.len_chars().max() or 0))  # type: ignore[arg-type]  # a length
        self._count(texts, times)
        is_nothing = texts.str.to_lowercase().is_in(list(NOTHING))
        self.nothing.update(dict(zip(texts.filter(is_nothing), times.filter(is_nothing), strict=True)))
        first = texts.head(STRAYS + 1).to_list()
        for name in list(self.fits):
            if KINDS[name].is_met(first):
                self.fits[name].add(KINDS[name].read(texts), times, texts)
            else:
                self.fits[name].strays.update(dict(zip(texts, times, strict=True)))
            if not self.fits[name].may_hold:
                del self.fits[name]
        for name, pattern in CONTENT.items():
            self.content[name] += int(times.filter(texts.str.contains(pattern)).sum())

    def _count(self, texts: pl.Series, times: pl.Series) -> None:
        if self.values is not None:
            self.values.update(dict(zip(texts.str.head(LENGTH), times, strict=True)))
            self.values = self.values if len(self.values) <= DISTINCT else None
        if self.tokens is not None:
            self._count_tokens(dict(zip(texts, times, strict=True)))

    def _count_tokens(self, counted: Mapping[str, int]) -> None:
        """Follow answers of several codes, as `maize beans`, until it is none: a token twice, or too many of them."""
        tokens = self.tokens if self.tokens is not None else Counter()
        for text, times in counted.items():
            found = _TOKEN.findall(text)
            if len(set(found)) < len(found) or not found or len(tokens) > _MOST_TOKENS:
                self.tokens = None
                return
            tokens.update(dict.fromkeys(found, times))
            self.several += times * (len(found) > 1)


@dataclass
class Profiles:
    """The columns of all sources. Small frames are counted together, which costs little more than one of them."""

    columns: dict[str, Profile]
    _waiting: dict[str, list[pl.Series]] = field(default_factory=dict)
    _rows: int = 0

    def add(self, frame: pl.DataFrame) -> None:
        for column in frame.columns:
            self._waiting.setdefault(column, []).append(frame[column])
        self._rows += frame.height
        if self._rows >= AT_ONCE:
            self.flush()

    def flush(self) -> None:
        for column, parts in self._waiting.items():
            self.columns[column].add(pl.concat(parts))
        self._waiting, self._rows = {}, 0


def shown(texts: Sequence[str], most: int = 8) -> str:
    """Some values, as a comment has them."""
    cut = [text if len(text) <= 30 else f"{text[:29]}…" for text in texts]
    return ", ".join(map(repr, cut[:most])) + (f" and {len(cut) - most:,} more" if len(cut) > most else "")
