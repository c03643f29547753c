"""Learning: what a feature set is, whether it leaks, training, judging, registering and using a model."""
