"""The files of an edition, from its sections."""

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lastmile.learning.declarations.weekly_report import Section, Week
from lastmile.warehouse.reading.formulas import FORMULA, NUMBER

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Edition:
    """One week's report: its heading, and what it says."""

    title: str
    week: Week
    sections: Sequence[Section]
    made_at: datetime
    run_id: str | None = None

    def files(self) -> dict[str, bytes]:
        """By name: the page, the PDF, and a CSV file of each table."""
        tables = {f"{_slug(one.title)}.csv": as_csv(one) for one in self.sections if one.header}
        return {"report.html": self.page(), "report.pdf": self.pdf(), **tables}

    def page(self) -> bytes:
        """HTML that needs nothing but a browser; every text of the data is escaped."""
        import base64

        import jinja2

        environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_HERE), autoescape=True, undefined=jinja2.StrictUndefined
        )
        environment.filters["picture"] = lambda body: f"data:image/png;base64,{base64.b64encode(body).decode()}"
        return environment.get_template("page.html.j2").render(edition=self, shown=shown, numeric=_numeric).encode()

    def pdf(self) -> bytes:
        """A4. The data is an input of the template, never a part of it, so no text of it can be markup."""
        import typst

        with TemporaryDirectory(prefix="lastmile-edition-") as folder:
            root = Path(folder)
            (root / "page.typ").write_bytes((_HERE / "page.typ").read_bytes())
            for number, one in enumerate(self.sections):
                if one.picture:
                    (root / f"{number}.png").write_bytes(one.picture)
            (root / "edition.json").write_text(json.dumps(self._as_data()))
            return bytes(typst.compile(str(root / "page.typ"), root=str(root), ignore_system_fonts=True))

    def _as_data(self) -> Mapping[str, Any]:
        return {
            "title": self.title,
            "week": str(self.week),
            "made": f"{self.made_at:%Y-%m-%d %H:%M} UTC",
            "run": self.run_id or "",
            "sections": [
                {
                    "title": one.title,
                    "text": one.text,
                    "columns": one.header,
                    "numeric": [_numeric(one, name) for name in one.header],
                    "rows": [[shown(row.get(name)) for name in one.header] for row in one.rows],
                    "picture": f"{number}.png" if one.picture else "",
                }
                for number, one in enumerate(self.sections)
            ],
        }


def as_csv(section: Section) -> bytes:
    """For spreadsheets: UTF-8 with its mark, numbers as they are, and no text that would run as a formula."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(section.header)
    for row in section.rows:
        writer.writerow([_cell(row.get(name)) for name in section.header])
    return out.getvalue().encode("utf-8-sig")


def _cell(value: Any) -> Any:
    is_formula = isinstance(value, str) and re.search(FORMULA, value) and not re.search(NUMBER, value)
    return "" if value is None else f"'{value}" if is_formula else value


def shown(value: Any) -> str:
    """A value as people read it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.1f}"
    return value.isoformat() if isinstance(value, date) else str(value)


def _numeric(section: Section, name: str) -> bool:
    values = [row.get(name) for row in section.rows if row.get(name) is not None]
    return bool(values) and all(isinstance(one, int | float) and not isinstance(one, bool) for one in values)


def _slug(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "table"
