"""The endpoints, one file per topic; each says which permission it demands."""
