"""What a month costs, from prices.toml: `python platform/deploy/costs/costs.py` prints the tables of docs/costs.md.

Only the standard library is needed.
"""

import tomllib
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

PRICES = Path(__file__).with_name("prices.toml")
SIZES = ("dev", "staging", "production")
HOURS = Decimal(730)


@dataclass(frozen=True)
class Line:
    """A thing that is paid for; `quantities` are by size."""

    part: str
    what: str
    unit: str
    price: Decimal
    quantities: dict[str, Decimal]

    def cost(self, size: str) -> Decimal:
        """Dollars a month, exactly."""
        return self.price * self.quantities[size] * (HOURS if self.unit == "hour" else 1)


def read(text: str) -> list[Line]:
    """Raises KeyError where a line lacks one of its fields."""
    found: dict[str, Any] = tomllib.loads(text, parse_float=Decimal)
    return [
        Line(
            line["part"],
            line["what"],
            line["unit"],
            Decimal(line["price"]),
            {size: Decimal(line[size]) for size in SIZES},
        )
        for line in found["line"]
    ]


def totals(lines: list[Line]) -> dict[str, dict[str, Decimal]]:
    """Dollars a month by part and size."""
    parts: dict[str, dict[str, Decimal]] = {}
    for line in lines:
        part = parts.setdefault(line.part, dict.fromkeys(SIZES, Decimal(0)))
        for size in SIZES:
            part[size] += line.cost(size)
    return parts


def table(lines: list[Line]) -> str:
    """The parts and their sum, then every line with the price that is assumed for it, as Markdown."""
    parts = totals(lines)
    sums = {size: sum((part[size] for part in parts.values()), Decimal(0)) for size in SIZES}
    rows = [f"| {name} | {_dollars(part)} |" for name, part in parts.items()]
    assumed = [
        f"| {line.part}: {line.what} | {line.price} per {line.unit} |"
        f" {' | '.join(f'{line.quantities[size]}' for size in SIZES)} | list price assumed |"
        for line in lines
    ]
    heads = f"| {' | '.join(SIZES)} |"
    return "\n".join(
        [
            f"| $ a month {heads}",
            "| --- | ---: | ---: | ---: |",
            *rows,
            f"| **all** | {_dollars(sums)} |",
            "",
            f"| what | $ {heads} |",
            "| --- | ---: | ---: | ---: | ---: | --- |",
            *assumed,
        ]
    )


def _dollars(by_size: dict[str, Decimal]) -> str:
    return " | ".join(f"{by_size[size].quantize(Decimal(1), ROUND_HALF_UP):,}" for size in SIZES)


if __name__ == "__main__":
    print(table(read(PRICES.read_text())))
