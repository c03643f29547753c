"""One file per stream of the shop."""
