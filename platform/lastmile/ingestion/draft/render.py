"""A draft as the Python file of a contract: formatted, importable, with what was seen as comments."""

import ast
import re
import string
import textwrap
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lastmile.ingestion.draft.column import Column
from lastmile.ingestion.draft.proposal import Draft, missing

WIDTH = 120
#: Letters that look like no other: Latin ones that are no letter with marks, and those of other scripts, without those
#: that ruff finds ambiguous in a text (RUF001).
LATIN = frozenset("ßæÆœŒøØłŁđĐðÐþÞħĦŋŊə")
SCRIPTS = (
    *("CJK UNIFIED", "HANGUL SYLLABLE", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "DEVANAGARI", "BENGALI"),
    *("GUJARATI", "GURMUKHI", "TAMIL", "TELUGU", "KANNADA", "SINHALA", "ETHIOPIC", "ARABIC LETTER", "HEBREW LETTER"),
)
ALIKE = frozenset(
    "\u05d5\u05d8\u05d9\u05df\u05e1\u0627\u0647\u06be\u06c1\u06d5\u097d\u1200\u12d0\u30ce\u4e36\u4e3f"
    "\ufba6\ufba7\ufba8\ufba9\ufbaa\ufbab\ufbac\ufbad\ufe8d\ufe8e\ufee9\ufeea\ufeeb\ufeec"
)
#: The annotation of each base, as the registry of types has them.
ANNOTATIONS = {
    "text": "str",
    "codes": "str",
    "list": "list[str]",
    "whole": "int",
    "number": "float",
    "yes_no": "bool",
    "date": "date",
    "datetime": "datetime",
    "time": "time",
    "json": "Json",
}


def render(draft: Draft) -> str:
    """The file's text."""
    return "\n".join(
        [
            f'"""{_doc(_title(draft.name))}, drafted from {_doc(_files(draft.sources))}.',
            "",
            "Comments say what was seen, not what must be. Go through it, say what the columns mean, and delete them.",
            '"""',
            "",
            *_imports(draft),
            "",
            "",
            f"class {_class_name(draft.name)}(pa.DataFrameModel):",
            *_body(draft),
            "",
            "",
            *_comments(draft.remarks, ""),
            *_call("contract = Contract", _settings(draft), ""),
            "",
        ]
    )


def _body(draft: Draft) -> Iterable[str]:
    for column in draft.columns:
        yield from _comments(["; ".join(column.evidence)], "    ")
        annotation = _dated(ANNOTATIONS[column.base], draft) + ("" if column.required else " | None")
        yield from _call(f"    {column.name}: {annotation} = field", _arguments(column, draft), "    ")


def _dated(annotation: str, draft: Draft) -> str:
    """Types of the standard library under another name where a column is called as they are."""
    is_hidden = not {"date", "datetime", "time"}.isdisjoint(column.name for column in draft.columns)
    return f"dt.{annotation}" if is_hidden and annotation in ("date", "datetime", "time") else annotation


def _imports(draft: Draft) -> list[str]:
    bases = {ANNOTATIONS[column.base] for column in draft.columns}
    dates = sorted({"date"} | (bases & {"datetime", "time"}))
    names = {"Contract", "Partition", "field"} | (bases & {"Json"})
    names |= {"Format"} if draft.format else set()
    return [
        "import datetime as dt" if _dated("date", draft) != "date" else f"from datetime import {', '.join(dates)}",
        "",
        "import pandera.polars as pa",
        "",
        f"from lastmile.contracts import {', '.join(sorted(names))}",
    ]


def _settings(draft: Draft) -> dict[str, str]:
    cut = draft.cut
    start = f"{_dated('date', draft)}({cut.start.year}, {cut.start.month}, {cut.start.day})"
    column = f", column={literal(cut.column)}" if cut.column else ""
    return {
        "name": literal(draft.name),
        "schema": _class_name(draft.name),
        "description": literal(f"{_title(draft.name)}."),
        "owner": literal("team:unknown"),
        "partition": f"Partition({literal(cut.unit)}, start={start}{column})",
        **({"key": literal(draft.key)} if draft.key else {}),
        **({"format": f"Format({_named(draft.format)})"} if draft.format else {}),
    }


def _arguments(column: Column, draft: Draft) -> dict[str, str]:
    """What `field` is called with; the description comes without a name."""
    kind, (low, high) = column.kind, column.bounds
    aliases = tuple(header for header in column.headers if header != column.name)
    given: dict[str, Any] = {
        "unit": column.unit or (kind.symbol if kind else None),
        "personal": column.personal or None,
        "aliases": () if draft.form.headerless else aliases,
        "missing": missing(column),
        "formats": (kind.format,) if kind and kind.format else (),
        "symbols": (kind.symbol,) if kind and kind.symbol else (),
        "true": column.words[:1] if column.words else (),
        "false": column.words[1:] if column.words else (),
        "ge": low,
        "le": high,
        "isin": column.codes if column.base == "codes" else (),
    }
    said = {name: literal(value) for name, value in given.items() if value is not None and value != ()}
    return {"": literal(_description(column.headers[0])), **said}


def _description(header: str) -> str:
    """The header as a person would write it, to be corrected."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", header)
    found = " ".join(parted.split())
    plain = " ".join(word if word.isupper() else word.lower() for word in found.split())
    return f"{plain[:1].upper()}{plain[1:]}."


def _call(before: str, arguments: Mapping[str, str], indent: str) -> list[str]:
    """A call on one line, or with an argument a line."""
    said = [f"{name}={value}" if name else value for name, value in arguments.items()]
    whole = f"{before}({', '.join(said)})"
    if _columns(whole) <= WIDTH and not before.startswith("contract"):
        return [whole]
    return [f"{before}(", *(line for one in said for line in _argument(one, indent + "    ")), f"{indent})"]


def _argument(said: str, indent: str) -> list[str]:
    """An argument, a tuple that is too long with an item a line."""
    if _columns(indent + said) < WIDTH or "=(" not in said:
        return [f"{indent}{said},"]
    name, _, items = said.partition("=(")
    lines = [f"{indent}    {item}," for item in _items(items[:-1])]
    return [f"{indent}{name}=(", *lines, f"{indent}),"]


def _columns(text: str) -> int:
    """Of a screen, as linters count them: marks take none, wide characters two."""
    marks = sum(unicodedata.category(sign) in ("Mn", "Me") for sign in text)
    return len(text) - marks + sum(unicodedata.east_asian_width(sign) in "WF" for sign in text)


def _items(text: str) -> list[str]:
    return [literal(item) for item in ast.literal_eval(f"({text})")]


def _comments(remarks: Sequence[str], indent: str) -> list[str]:
    """Lines that go on begin with dots, so that no list of values looks like commented-out code."""
    width = WIDTH - len(indent) - 4
    return [
        f"{indent}# {'… ' * (number > 0)}{line}"
        for remark in map(printable, remarks)
        for number, line in enumerate(textwrap.wrap(remark, _signs(remark, width), break_on_hyphens=False))
    ]


def _signs(text: str, width: int) -> int:
    """How many of its characters fit into so many columns, wherever the wide ones stand."""
    return max(width // 2, min(width, width - (_columns(text) - len(text))))


def _files(sources: Sequence[str]) -> str:
    return sources[0] if len(sources) == 1 else f"{sources[0]} and {len(sources) - 1:,} more"


def _doc(text: str) -> str:
    return printable(text).replace("\\", "\\\\").replace('"""', "'''")[:90]


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _class_name(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


def _named(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={literal(value)}" for name, value in settings.items())


def literal(value: Any) -> str:
    """A value as ruff would write it."""
    if isinstance(value, tuple):
        return f"({', '.join(map(literal, value))}{',' if len(value) == 1 else ''})"
    if not isinstance(value, str):
        return repr(value)
    text = printable(value, repr(value)[1:-1])
    if 0 < value.count('"') <= value.count("'"):  # in double quotes where that takes no more escapes
        text = text.replace("\\'", "'").replace('"', '\\"')
        return f'"{text}"'
    return f"'{text}'" if '"' in value else f'"{text}"'


def printable(text: str, written: str | None = None) -> str:
    """With what looks like another character, or like none, as an escape."""
    return "".join(one if _is_plain(one) else ascii(one)[1:-1] for one in (text if written is None else written))


def _is_plain(character: str) -> bool:
    if character.isascii():
        return character.isprintable()
    parts = unicodedata.normalize("NFD", character)
    is_latin = character in LATIN or (len(parts) > 1 and parts[0] in string.ascii_letters)
    is_of_script = unicodedata.name(character, "").startswith(SCRIPTS) and character not in ALIKE
    return is_latin or (is_of_script and character.isalpha()) or character in "€°"
