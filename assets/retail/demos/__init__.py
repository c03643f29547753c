"""Made-up customers, to try the streams with."""
