"""Dagster: factories from declarations to assets, checks, sensors and conditions; running what these request."""
