"""Where users, posts and comments come from. Their schedules are off until they are switched on in the web UI."""
