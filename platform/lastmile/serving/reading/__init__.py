"""Rows as they are answered: which layers there are, in which form, masked for whom, page by page or as a stream."""
