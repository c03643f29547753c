"""Judgement: scores with their errors, comparison of versions, what is suspect."""
