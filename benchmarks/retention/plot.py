"""The size of the database over the simulated days, as a picture."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.retention.__main__ import Night


def plot(found: "Mapping[str, Sequence[Night]]", to: Path) -> None:
    """Days without retention beyond those simulated are a dashed line, drawn on from them."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(9, 4), layout="constrained")
    kept, grown = found["with"], found["without"]
    axes.plot([one.day for one in kept], [one.database / 1e9 for one in kept], color="#1f6f8b", label="with retention")
    days, sizes = [one.day for one in grown], [one.database / 1e9 for one in grown]
    axes.plot(days, sizes, color="#b3472f", label="without")
    if len(grown) > 1:
        end = kept[-1].day
        a_day = (sizes[-1] - sizes[0]) / (days[-1] - days[0])
        axes.plot(
            [days[-1], end],
            [sizes[-1], sizes[-1] + a_day * (end - days[-1])],
            "--",
            color="#b3472f",
            label=f"without, drawn on at {a_day * 1000:.0f} MB a day",
        )
    axes.set_yscale("log")
    axes.set_xlabel("days of 200 runs and a tick every 4 s")
    axes.set_ylabel("database, GB")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    to.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(to, dpi=150)
    plt.close(figure)
