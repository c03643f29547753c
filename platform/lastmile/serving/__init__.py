"""The HTTP API: how things stand, for programs and for Prometheus. It reads only, and listens on this machine only."""
