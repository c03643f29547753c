"""One file a feature set."""
