"""Sign-in, users, API keys, the audit log."""
