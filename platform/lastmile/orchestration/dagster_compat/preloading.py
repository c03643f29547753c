"""What of Dagster its code server, daemon and web UI import when they start, for a process that they are forked from."""

MODULES = ("dagster._cli", "dagster._grpc.server")
