"""What a person sees while the platform works, and what came of it."""
