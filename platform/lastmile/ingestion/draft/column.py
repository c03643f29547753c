"""What a column is, by its header and all its values: a proposal, with the evidence it rests on.

Chosen so that the next file is not refused for what this one happens to lack: a list of codes only where each was seen
several times, a bound only where the name of the column gives it, whole numbers only where nothing is measured.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from lastmile.ingestion.draft import names
from lastmile.ingestion.draft.kinds import KINDS, Kind
from lastmile.ingestion.draft.profile import Fit, Profile, shown

#: Pairs of words for yes and no, the more usual first.
YES_NO: tuple[tuple[str, str], ...] = (
    *(("true", "false"), ("yes", "no"), ("y", "n"), ("t", "f"), ("oui", "non"), ("si", "no"), ("sí", "no")),
    *(("sim", "não"), ("sim", "nao"), ("vrai", "faux"), ("ja", "nein"), ("verdadero", "falso")),
)
#: The same by numbers, where the header asks what is answered by yes or no.
YES_NO_DIGITS = (("1", "0"), ("1", "2"))
#: Texts that stand for "no value" among texts too; words such as "none" and "unknown" may be answers there.
NO_TEXT = {"NA", "N/A", "n/a", "#N/A", "NULL", "null", "NaN", "nan", "no_answer"}
#: A list of codes: so few of them, each seen so often, among so many values.
MOST_CODES, SEEN, ENOUGH = 25, 3, 50
#: Rows, or files, without a gap from which on a column is proposed as required.
ROWS, FILES = 100, 2
_MEASURED = {"kg", "km", "cm", "mm", "ha", "%", "lcu", "usd", "eur", "kwh", "mg", "l", "acres", "°C", "kcal"}


@dataclass(frozen=True)
class Column:
    """A column to be declared. `base` is its type: text, codes, list, whole, number, yes_no, date, ...

    `or_kind` is what all values are as well, where the decimal sign of other columns decides (`12 345`).
    `headers` are those it goes by in the files; `full` says that no row is without a value, and `evidence`
    are short remarks for the reader of the draft.
    """

    name: str
    headers: tuple[str, ...]
    base: str = "text"
    kind: Kind | None = None
    or_kind: Kind | None = None
    required: bool = False
    full: bool = False
    personal: bool = False
    unit: str | None = None
    missing: tuple[str, ...] = ()
    bounds: tuple[int | None, int | None] = (None, None)
    codes: tuple[str, ...] = ()
    words: tuple[str, str] | None = None
    least: Any = None
    most: Any = None
    evidence: tuple[str, ...] = ()

    def saying(self, *remarks: str) -> "Column":
        return replace(self, evidence=(*self.evidence, *filter(None, remarks)))

    def as_text(self, why: str) -> "Column":
        """The same as plain text without conditions, which every value is."""
        return replace(self, base="text", kind=None, unit=None, bounds=(None, None), codes=(), words=None).saying(why)


def column(name: str, headers: Sequence[str], profile: Profile, files: int, present: int) -> Column:
    """What is seen in `present` of `files` files, under any of the headers."""
    header = headers[0]
    typed = _typed(header, profile, Column(name, tuple(headers)))
    if typed.base == "codes" and 2 * profile.varied < present:
        typed = typed.as_text(f"one value a file, so far {shown(typed.codes)}")
    without = profile.blank + sum(profile.nothing[code] for code in typed.missing) + _sentinels(typed, profile)
    is_full = not without and present == files
    personal, why = _personal(header, profile)
    return replace(
        typed,
        required=is_full and (profile.rows >= ROWS or files >= FILES),
        full=is_full,
        personal=personal,
        unit=names.unit(header) if typed.base in ("whole", "number") else None,
        evidence=(
            _counted(typed, profile, without),
            *typed.evidence,
            *why,
            *([f"in {present} of {files} files only"] if present < files else []),
        ),
    )


def _typed(header: str, profile: Profile, plain: Column) -> Column:
    if not profile.filled or (set(profile.nothing) and profile.filled == sum(profile.nothing.values())):
        return replace(plain, missing=_no_text(profile)).saying("no value so far, so it is text")
    if found := _yes_no(header, profile):
        missing = tuple(profile.nothing)
        return replace(plain, base="yes_no", words=found, missing=missing)
    fitting = [name for name, fit in profile.fits.items() if fit.fitting and not fit.unknown]
    for name in fitting:
        return _of_kind(header, name, fitting, profile, plain)
    return _textual(header, profile, plain).saying(_nearly(profile))


def _of_kind(header: str, name: str, fitting: Sequence[str], profile: Profile, plain: Column) -> Column:
    kind, fit = KINDS[name], profile.fits[name]
    if name == "whole" and names.is_identifier(header):
        return replace(plain, missing=_no_text(profile)).saying("digits that name something, kept as text")
    base = kind.base
    if name == "whole" and names.unit(header) in _MEASURED:
        base = "number"
    if name == "whole with point" and names.is_identifier(header):
        base = "whole"
    missing = tuple(fit.strays) + (tuple(fit.sentinels) if _are_missing(fit) else ())
    least, most = fit.least, fit.most
    if fit.sentinels and not _are_missing(fit):
        least = min([least, *map(float, fit.sentinels)])
    or_kind = KINDS["spaced with comma"] if name == "spaced" and "spaced with comma" in fitting else None
    found = replace(plain, base=base, kind=kind, or_kind=or_kind, missing=missing, least=least, most=most)
    if base in ("whole", "number"):
        found = replace(found, bounds=_bounds(header, least, most))
        found = found.saying("all whole so far" if name == "whole with point" and base == "number" else "")
        found = found.saying("yes or no?" if (least, most) in ((0, 1), (1, 2)) else "")
    twin = _twin(name)
    return found.saying("day and month could be the other way round" if twin in fitting else "")


def _twin(name: str) -> str:
    for separator in "/-":
        first, second = f"%d{separator}%m{separator}%Y", f"%m{separator}%d{separator}%Y"
        if name.startswith(first):
            return name.replace(first, second)
    return ""


def _are_missing(fit: Fit) -> bool:
    return bool(fit.sentinels) and (fit.least is None or fit.least >= 0)


def _sentinels(typed: Column, profile: Profile) -> int:
    fits = [profile.fits[name] for name, kind in KINDS.items() if kind is typed.kind and name in profile.fits]
    return sum(times for fit in fits for text, times in fit.sentinels.items() if text in typed.missing)


def _bounds(header: str, least: Any, most: Any) -> tuple[int | None, int | None]:
    """Those that the name gives, as far as all values keep them."""
    low, high = names.value_range(header)
    if least is None:
        return None, None
    return (low if low is not None and least >= low else None), (high if high is not None and most <= high else None)


def _yes_no(header: str, profile: Profile) -> tuple[str, str] | None:
    if profile.values is None or not 1 <= len(profile.values) <= 12:
        return None
    seen: set[str] = {text.lower().removesuffix(".0") for text in profile.values if text not in profile.nothing}
    for pair in (*YES_NO, *(YES_NO_DIGITS if names.is_yes_or_no(header) else ())):
        is_enough = len(seen) == 2 or (len(seen) == 1 and min(map(len, pair)) > 1)
        if seen <= set(pair) and is_enough:
            return pair[0], pair[1]
    return None


def _no_text(profile: Profile) -> tuple[str, ...]:
    """`NA` is Namibia among other codes of two capitals."""
    found = tuple(text for text in profile.nothing if text in NO_TEXT)
    others = [text for text in profile.values or () if text not in found]
    are_countries = len(others) > 1 and all(len(text) == 2 and text.isalpha() and text.isupper() for text in others)
    return tuple(text for text in found if text != "NA") if are_countries else found


def _textual(header: str, profile: Profile, plain: Column) -> Column:
    missing = _no_text(profile)
    found = replace(plain, missing=missing)
    if _is_list(profile):
        tokens = list(profile.tokens or ())
        return replace(found, base="list", codes=tuple(tokens)).saying(f"codes are {shown(tokens, 12)}")
    values = {text: times for text, times in (profile.values or {}).items() if text not in missing}
    if not values:
        return found.saying(f"texts of up to {profile.longest:,} characters")
    if len(values) > MOST_CODES:
        return found.saying(f"{len(values):,} distinct, such as {shown(list(values)[:3])}")
    is_closed = min(values.values()) >= SEEN and sum(values.values()) >= ENOUGH and len(values) > 1
    is_code = is_closed and max(map(len, values)) <= 40 and not names.is_identifier(header)
    listed = tuple(sorted(values))
    return replace(found, base="codes", codes=listed) if is_code else found.saying(f"seen are {shown(listed)}")


def _is_list(profile: Profile) -> bool:
    """Answers of several codes: few codes, each seen several times, in more combinations than there are codes."""
    if not profile.tokens or profile.several < 0.05 * profile.filled or profile.several < 5:
        return False
    values = profile.values or Counter[str]()
    alone = sum(token in values for token in profile.tokens)
    often = sum(times >= SEEN for times in profile.tokens.values())
    return (
        len(values) > len(profile.tokens) > 2
        and 2 * alone >= len(profile.tokens)
        and often >= 0.8 * len(profile.tokens)
    )


def _nearly(profile: Profile) -> str:
    """Of which kind nearly all values are, and those that are not."""
    for name, fit in profile.fits.items():
        if fit.fitting >= 0.9 * profile.filled:
            strays = shown(list(fit.unknown), 4)
            return f"{fit.fitting:,} of {profile.filled:,} are {_WORDS[KINDS[name].base]}, not {strays}"
    return ""


_WORDS = {
    "whole": "whole numbers",
    "number": "numbers",
    "date": "dates",
    "datetime": "dates with a time",
    "time": "times",
    "json": "JSON",
}


def _personal(header: str, profile: Profile) -> tuple[bool, list[str]]:
    for what, times in profile.content.items():
        if times and times >= 0.5 * profile.filled:
            return True, [f"looks like {what}"]
    is_name = names.words(header)[-1:] == ["name"] and 2 * len(profile.values or ()) > profile.filled > 1
    return names.is_personal(header) or is_name, []


def _counted(typed: Column, profile: Profile, without: int) -> str:
    """Such as `1,203 values, 4 % missing ('NA'), 0 to 312`."""
    percent = 100 * without / max(1, profile.rows)
    share = f"{percent:{'.0f' if percent >= 10 else '.2g'}} % missing" if without else ""
    codes = f" ({shown(typed.missing)})" if typed.missing else ""
    span = f"{_text(typed.least)} to {_text(typed.most)}" if typed.least is not None else ""
    return ", ".join(filter(None, (f"{profile.rows - without:,} values", share + codes if share else "", span)))


def _text(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    return (
        f"{value:,.{15 if value % 1 == 0 else 12}g}" if abs(value) >= 10_000 else f"{value:.12g}"
    )  # years have no thousands
