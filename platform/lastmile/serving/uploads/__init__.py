"""Bodies of any size at constant memory: spooled to a file, verified, and put into the landing area."""
