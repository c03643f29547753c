"""Processes forked from one with the libraries imported: each has them at once, and they share memory."""
