"""The HTTP API under load, next to others that serve the same model."""
