"""Processes forked from one that has imported the libraries, so that each has them at once and all share their memory."""
