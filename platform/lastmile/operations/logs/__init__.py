"""Log lines of all processes, gathered: which there are, which are wanted, how they are shown."""
