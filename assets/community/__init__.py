"""A community of users who post and comment: what JSONPlaceholder answers, or another API like it."""
