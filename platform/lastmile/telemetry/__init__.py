"""What every process says of its own work: spans, structured logs, metrics. Each room may use it; it knows none.

`start` is what a process begins with.
"""


def start(process: str) -> None:
    """Log and trace as this process, such as `api`. What that needs is imported here, and by processes only."""
    from lastmile.telemetry import process as processes

    processes.start(process)


def end() -> None:
    """Send what is left of the traces, for a process that ends without its exit handlers."""
    from lastmile.telemetry import process as processes

    processes.end()
