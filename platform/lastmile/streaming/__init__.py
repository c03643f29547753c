"""What comes to the platform as events: from Kafka to windows and drops, exactly once."""
