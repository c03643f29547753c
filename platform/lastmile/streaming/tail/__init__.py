"""Lines of log files to the topic of a stream: through rotation, each line once."""
