"""The settings to be looked at: as they are, with secrets hidden, and as the page that lists every variable."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lastmile.settings.all import groups
from lastmile.settings.given import without_password
from lastmile.settings.group import DEFAULT, Effective, defaults, effective, variables

HIDDEN = "********"


@dataclass(frozen=True)
class Line:
    """One setting, fit to be printed; `value` is None where none is set."""

    name: str
    value: str | None
    source: str
    help: str

    @property
    def is_changed(self) -> bool:
        return self.source != DEFAULT


def lines(environ: Mapping[str, str] = os.environ) -> list[Line]:
    """Every setting as it is. Raises UserError where one cannot be used."""
    return [_line(one) for group in groups() for one in effective(group, environ)]


def as_json(found: Iterable[Line]) -> list[dict[str, Any]]:
    return [asdict(line) for line in found]


def page() -> str:
    """Tables of all variables, a section for each group, in Markdown."""
    return "\n".join(_sections())


def _line(one: Effective) -> Line:
    value = HIDDEN if one.hidden and one.value else _text(one.value)
    return Line(one.variable.name, value, one.source, one.variable.help)


def _text(value: Any) -> str | None:
    if value is None or value in ("", ()):
        return None
    return ",".join(map(str, value)) if isinstance(value, tuple) else without_password(str(value))


def _sections() -> Iterator[str]:
    for group in groups():
        title = " ".join((group.__doc__ or "").split()).partition(". ")[0]
        usual = defaults(group)
        yield f"## {title.rstrip('.')}\n"
        yield "| variable | default | |\n| --- | --- | --- |"
        for one in variables(group):
            more = " *Secret.*" if one.secret else ""
            more += f" Such as `{one.example}`." if one.example else ""
            yield f"| `{one.name}` | {_default(usual[one.name])} | {one.help}{more} |"
        yield ""


def _default(value: Any) -> str:
    text = _text(value if not isinstance(value, Path) else value.as_posix())
    return f"`{text}`" if text else ""
