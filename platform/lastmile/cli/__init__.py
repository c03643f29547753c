"""The command line: one thin file per command; the work is in the rooms below, shared with the API."""
