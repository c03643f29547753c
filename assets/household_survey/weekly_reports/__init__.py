"""What programme managers get every Monday."""
