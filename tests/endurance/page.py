"""What a day looked like, as one picture: memory, open files, connections, the database, and when what was killed."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from endurance.measuring import Sample

mpl.use("Agg")
from matplotlib import pyplot as plt


def picture(samples: Sequence[Sample], kills: Sequence[tuple[float, str]], file: Path, hours: float = 24.0) -> None:
    """Write it as PNG. The day is `hours` long, however long it took."""
    scale = hours / samples[-1].seconds
    at = [one.seconds * scale for one in samples]
    figure, axes = plt.subplots(5, 1, figsize=(11, 14), sharex=True, layout="constrained")
    kinds = sorted({kind for one in samples for kind in one.memory} - {"resource-tracker"})
    for kind in kinds:
        axes[0].plot(at, [one.memory.get(kind, 0) / 2**20 for one in samples], label=kind, linewidth=1)
        axes[1].plot(at, [one.files.get(kind, 0) for one in samples], linewidth=1)
    axes[0].set_title("memory, MB")
    axes[0].legend(ncols=5, fontsize=8)
    axes[1].set_title("open files")
    for axis, title, names in (
        (axes[2], "connections; runs under way for longest, minutes", ("connections", "oldest_run_seconds")),
        (axes[3], "database, MB", ("database_bytes", "dagster_bytes")),
        (axes[4], "rows loaded, events kept", ("rows", "events")),
    ):
        for name in names:
            unit = 60 if name.endswith("seconds") else 2**20 if name.endswith("bytes") else 1
            known = [(x, one.numbers[name] / unit) for x, one in zip(at, samples, strict=True) if name in one.numbers]
            axis.plot([x for x, _ in known], [y for _, y in known], label=name.replace("_", " "), linewidth=1)
        axis.set_title(title)
        axis.legend(fontsize=8)
    for axis in axes:
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
        for seconds, _ in kills:
            axis.axvline(seconds * scale, color="crimson", linewidth=0.4, alpha=0.6)
    axes[-1].set_xlabel(f"hour of the day; red lines: {len(kills)} kills")
    figure.savefig(file, dpi=90)
    plt.close(figure)
