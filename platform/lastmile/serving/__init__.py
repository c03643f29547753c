"""The HTTP API: drops in, answers out, and how things stand."""
