"""JSON Lines and JSON documents."""
