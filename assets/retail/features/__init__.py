"""What is known of a customer at the first of a month, and what the customer does in the days after it."""
