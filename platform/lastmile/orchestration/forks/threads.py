"""Whether a process can be forked: a fork has no thread but the one that forked, so the others must be dispensable."""

from pathlib import Path

#: Threads of an allocator and of polars' spilling, which a fork can do without. Those with no name of their own have
#: the program's: the main one, and OpenBLAS's, which a fork starts anew.
_HARMLESS = {"jemalloc_bg_thd", "polars-ooc-clea"}


def refuse_threads() -> None:
    """Raises RuntimeError where a library has started a thread that it cannot do without."""
    own = Path("/proc/self/comm").read_text().strip()
    threads = {(task / "comm").read_text().strip() for task in Path("/proc/self/task").iterdir()}
    if strange := threads - _HARMLESS - {own}:
        raise RuntimeError(f"no process can be forked: a library has started threads: {', '.join(sorted(strange))}")
