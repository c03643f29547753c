"""Feature sets: their rows made, kept, and held against leaks of the target."""
