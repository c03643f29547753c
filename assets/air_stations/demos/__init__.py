"""Made-up stations, to try the streams with."""
