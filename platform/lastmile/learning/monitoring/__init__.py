"""Monitoring: whether a partition's inputs, predictions and errors are still those the champion was trained for."""
