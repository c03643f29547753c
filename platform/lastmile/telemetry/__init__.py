"""What every process says of its own work: spans, structured logs, metrics. Each room may use it; it knows none."""
