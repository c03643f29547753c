"""What carries the server's log into its topic."""
