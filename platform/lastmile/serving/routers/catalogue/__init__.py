"""What is declared, where rows come from, how good they are."""
