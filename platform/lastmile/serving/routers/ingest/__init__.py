"""Drops in: records, files, forms, and the jobs by which they are followed."""
