"""Experiments: versions of one model compared on units as they come, with a verdict that may be read at any time."""
