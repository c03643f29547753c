"""Bytes of messages to events as frames, in the formats that topics come in."""
