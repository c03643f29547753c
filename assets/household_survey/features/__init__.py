"""What is known of a household apart from what makes its level."""
