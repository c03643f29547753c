"""Columns that come to a dataset later: added to its table, or filled in from what was rescued."""
