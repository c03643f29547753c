"""Backups of the database, its log and the objects: made, encrypted, verified, kept for a while, and read again."""
