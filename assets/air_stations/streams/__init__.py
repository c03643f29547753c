"""One file per stream of readings."""
