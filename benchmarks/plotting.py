"""The comparison as a picture: one bar each, on a logarithmic scale, COPY at one."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_COLOURS = {"loads": "#9aa5b1", "validates": "#d9a441", "validates and loads": "#1f6f8b"}


def bars(rows: Sequence[Mapping[str, Any]], to: Path, title: str) -> None:
    """Bars of `time, COPY = 1`, shortest on top, coloured by what is done to the rows."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.patches import Patch
    from matplotlib.ticker import LogLocator, StrMethodFormatter

    ordered = sorted(rows, key=lambda row: float(row["time, COPY = 1"]), reverse=True)
    names = [f"{row['what']} ({row['rows']:,} rows)" for row in ordered]
    ratios = [row["time, COPY = 1"] for row in ordered]
    colours = [_COLOURS[row["does"]] for row in ordered]
    figure, axes = plt.subplots(figsize=(9, 0.36 * len(ordered) + 1.4), layout="constrained")
    drawn = axes.barh(names, ratios, color=colours)
    axes.bar_label(drawn, [f"{ratio:.2g}" if ratio < 10 else f"{ratio:.0f}" for ratio in ratios], padding=4)
    axes.axvline(1, color="#444", linewidth=0.8)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_locator(LogLocator(subs=()))
    axes.set_xlim(min([*ratios, 1]) / 1.5, max([*ratios, 1]) * 1.8)
    axes.set_xlabel("times a COPY")
    axes.set_title(title, loc="left", x=0)
    handles = [Patch(color=colour, label=does) for does, colour in _COLOURS.items()]
    axes.legend(handles=handles, loc="upper right", frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    to.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(to, dpi=150)
    plt.close(figure)
