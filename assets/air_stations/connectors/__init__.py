"""What carries the stations' readings into their topic."""
