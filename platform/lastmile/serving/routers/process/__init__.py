"""Runs: launch, follow, cancel."""
