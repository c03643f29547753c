"""What of Dagster its code server, daemon and web UI import when they start: for what they are forked from."""

MODULES = ("dagster._cli", "dagster._grpc.server")
