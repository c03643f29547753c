"""What is made, by domain."""
