"""Schema evolution: columns added to a dataset's table, or filled in from rescued values."""
