"""Daily files of an online shop."""
