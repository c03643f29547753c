"""Model cards: what a person should know of a version before it is trusted, on one page."""
