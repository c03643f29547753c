"""One question each: `run(bench)` measures and returns the tables that answer it."""
