"""One file per stream of the site's events."""
