"""Assets of what is learned, made from declarations: feature sets, models, predictions, reports."""
