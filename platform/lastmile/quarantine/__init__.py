"""What was quarantined and why: query, release, discard, export."""
