"""Keeping an installation in order over the years."""
