"""One file per dataset of the surveys."""
