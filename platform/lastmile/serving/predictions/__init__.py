"""Predictions on request: what is loaded, rows in, one run for the rows that wait together, answers out, the log.

It is the hot path, so it imports ONNX Runtime, NumPy and pydantic, and none of what models are trained with.
"""
