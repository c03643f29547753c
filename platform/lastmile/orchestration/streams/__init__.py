"""Streams in Dagster: they report what they have done, and their windows are made anew by a backfill."""
