"""Streams: topics full of events, the process that reads them, and how long an event waits."""
