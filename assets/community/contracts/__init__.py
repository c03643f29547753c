"""What is known of users, posts and comments."""
