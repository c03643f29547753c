"""Who may do what over HTTP: users, API keys, roles, sessions, and the log of what was written."""
