"""What others get of the surveys."""
