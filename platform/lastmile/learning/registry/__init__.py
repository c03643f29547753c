"""The registry: versions of models, which of them is in use, and what happened to each."""
