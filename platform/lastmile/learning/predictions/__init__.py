"""Predictions: rows, their probabilities or intervals, and reasons."""
