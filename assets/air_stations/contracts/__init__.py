"""One file per dataset of the stations."""
