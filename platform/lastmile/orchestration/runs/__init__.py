"""Runs on one machine: which process works for each, how it is started, and the daemon that starts it."""
