"""Dagster's web UI behind the same users and roles as the API: it has no sign-in of its own."""
