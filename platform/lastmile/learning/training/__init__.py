"""Training: rows to learn from, folds, fitting, search."""
