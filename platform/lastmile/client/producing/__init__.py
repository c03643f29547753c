"""A producer of events: what was sent is kept in a journal on disk until the broker has acknowledged it."""
