"""Rows whose natural key was seen before, in their own drop or in the table."""
