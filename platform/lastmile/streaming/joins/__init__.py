"""Joins of streams: tables that events are looked up in, and pairs of events of two streams."""
