"""Made-up visitors, to try the streams with."""
