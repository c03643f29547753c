"""Building blocks for a model's estimator where scikit-learn has none; each is a scikit-learn estimator itself."""
