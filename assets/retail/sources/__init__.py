"""What is fetched from the shop."""
