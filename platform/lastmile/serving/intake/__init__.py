"""What is sent in: accepted in group commits, spooled, landed as drops, and how its jobs are shown."""
