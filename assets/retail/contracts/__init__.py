"""One file per dataset of the shop."""
