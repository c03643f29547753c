"""One file per dataset of the site's traffic."""
