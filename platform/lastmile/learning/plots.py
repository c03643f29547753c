"""Small pictures for places where a person looks: an asset's metadata, the report.

Each function gives a PNG; `as_markdown` and `as_source` put one inline, so that no picture is a file to be kept.
"""

import base64
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, QUIET, ACCENT, GRID = "#1f2933", "#7b8794", "#2b6cb0", "#e4e7eb"
#: From well off to worst off; distinct in grey and by the colour-blind.
LEVEL_COLOURS = ("#2a9d8f", "#e9c46a", "#f4a261", "#c8553d")


def level_colours(count: int) -> tuple[str, ...]:
    """A colour for each of so many levels, best first; from five on they come from a colour map."""
    if count <= len(LEVEL_COLOURS):
        return LEVEL_COLOURS[:count]
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    shades = colormaps["viridis"](np.linspace(0, 1, count))
    return tuple(to_hex(shade) for shade in shades)


def confusion(levels: Sequence[str], counts: Sequence[Sequence[int]]) -> bytes:
    """Rows by true level (down) and predicted level (across): the share of the true level is the shade."""
    table = np.array(counts, dtype=float)
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    figure, axes = _canvas(5.6, 4.2)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(table.shape):
        shade = "white" if shares[row, column] > 0.55 else INK
        text = f"{shares[row, column]:.0%}\n{int(table[row, column]):,}"
        axes.text(column, row, text, ha="center", va="center", color=shade, fontsize=8)
    axes.set_xticks(range(len(levels)), [level.replace(" ", "\n") for level in levels])
    axes.set_yticks(range(len(levels)), levels)
    axes.set_xlabel("predicted level")
    axes.set_ylabel("true level")
    axes.grid(False)
    return _png(figure, "Predicted against true level (share of the true level, rows)")


def importance(losses: Mapping[str, float], most: int = 15) -> bytes:
    """Quality lost when an input is shuffled (balanced accuracy, or R² of a number), the most important ones on top."""
    shown = sorted(losses.items(), key=lambda item: item[1])[-most:]
    figure, axes = _canvas(5.6, 0.24 * len(shown) + 1.2)
    axes.barh([name.replace("_", " ") for name, _ in shown], [loss for _, loss in shown], color=ACCENT, height=0.65)
    axes.axvline(0, color=QUIET, linewidth=0.8)
    axes.set_xlabel("quality lost when shuffled")
    axes.grid(False, axis="y")
    return _png(figure, "What the model relies on")


def shares(
    title: str, rows: Mapping[str, Sequence[float]], parts: Sequence[str], colours: Sequence[str], unit: str
) -> bytes:
    """One bar per row, cut into its parts' shares; the row's total stands at its end."""
    figure, axes = _canvas(6.4, 0.24 * len(rows) + 1.4)
    counts = np.array(list(rows.values()), dtype=float).reshape(len(rows), len(parts))
    totals = counts.sum(axis=1, keepdims=True)
    cut = counts / np.maximum(totals, 1)
    starts = np.cumsum(cut, axis=1) - cut
    names = list(rows)
    for place, (part, colour) in enumerate(zip(parts, colours, strict=True)):
        axes.barh(names, cut[:, place], left=starts[:, place], color=colour, height=0.72, label=part)
    for place, total in enumerate(totals.ravel()):
        axes.text(1.01, place, f"{int(total):,}", va="center", fontsize=8, color=QUIET)
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    axes.set_xlabel(f"share of {unit} (number at the end of the bar)")
    axes.invert_yaxis()
    axes.grid(False, axis="y")
    axes.legend(ncols=len(parts), loc="lower left", bbox_to_anchor=(0, 1), frameon=False, fontsize=8, handlelength=1)
    return _png(figure, title)


def trend(title: str, values: Sequence[float], usual: float | None, unit: str) -> bytes:
    """One bar per value, the newest on the right; the line is what is usual."""
    figure, axes = _canvas(6.4, 1.9)
    axes.bar(range(1, len(values) + 1), values, color=ACCENT, width=0.8)
    if usual is not None:
        axes.axhline(usual, color=QUIET, linewidth=0.8, linestyle="--")
    axes.set_xlim(0.4, len(values) + 0.6)
    axes.set_xticks([])
    axes.set_ylim(0, max(0.01, *values) * 1.1)
    axes.yaxis.set_major_formatter(lambda share, _: f"{share:.1%}")
    axes.set_xlabel(unit)
    axes.grid(False, axis="x")
    return _png(figure, title)


def as_source(png: bytes) -> str:
    """The `src` of an HTML image."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def as_markdown(png: bytes, title: str) -> str:
    return f"![{title}]({as_source(png)})"


def _canvas(width: float, height: float) -> "tuple[Figure, Axes]":
    """Inches. A figure of its own, not pyplot's: those stay in memory until closed."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.set_axisbelow(True)
    axes.grid(color=GRID, linewidth=0.8)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelsize=8, colors=INK)
    axes.xaxis.label.set(size=8, color=QUIET)
    axes.yaxis.label.set(size=8, color=QUIET)
    return figure, axes


def _png(figure: "Figure", title: str) -> bytes:
    figure.suptitle(title, x=0.01, ha="left", fontsize=10, color=INK, fontweight="bold")
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=110)
    return file.getvalue()
