"""Answers out: predictions, versions, experiments."""
